/** Templates as definitions write them: `{visit:07d}` as in Gen3, or `%(visit)07d` as in Gen2, which mean the same. */

/** Why a text is no template: for the message of whoever read it. */
export class TemplateFault extends Error {
  readonly advice: string | undefined;

  constructor(message: string, advice?: string) {
    super(message);
    this.advice = advice;
  }
}

export interface LiteralPiece {
  readonly text: string;
}

export interface FieldPiece {
  readonly field: string;
  /** Digits at least, zeros before them; 0 where none are said. */
  readonly width: number;
  /** Undefined where the template leaves it to the field. */
  readonly conversion: 'd' | 's' | undefined;
  /** As it stands in the template. */
  readonly written: string;
}

export type Piece = LiteralPiece | FieldPiece;

const fieldSyntax = /%\(([^)]*)\)(\d*[a-zA-Z])|\{([^{}:]*)(?::([^{}]*))?\}|[%{}]/g;
const usual = 'a field is {visit}, {visit:07d} or {band}';

/** Most digits that are exact. */
const mostDigits = 15;

/**
 * The components of a path. Throws {@link TemplateFault} for one that is absolute, leaves its directory or has an empty component, and for a field in a form that
 * is not understood.
 */
export function parseTemplate(template: string): readonly (readonly Piece[])[] {
  if (template.startsWith('/'))
    throw new TemplateFault(`path '${template}' is absolute`, 'write it relative to the repository, as in a/b/c.fits');
  const names = template.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..') || template.includes('\0')) {
    throw new TemplateFault(
      `path '${template}' has an empty component, '.' or '..'`,
      'write it relative to the repository, as in a/b/c.fits',
    );
  }
  return names.map(parsePieces);
}

function parsePieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(fieldSyntax)) {
    const [written, percentName, percentForm, braceName, braceForm = ''] = match;
    const field = percentName ?? braceName;
    if (field === undefined) throw new TemplateFault(`'${text}' has a '${written}' that begins no field`, usual);
    const form = /^(0?)(\d*)([ds]?)$/.exec(percentForm ?? braceForm);
    if (field === '' || form === null) throw new TemplateFault(`field '${written}' is of a form that is not understood`, usual);
    const [, zero, digits = '', conversion] = form;
    const width = Number(digits);
    if (digits !== '' && (zero === '' || conversion === 's' || width > mostDigits)) {
      throw new TemplateFault(
        `field '${written}' has a width that is not understood`,
        `write {${field}:05d} for numbers with zeros before them`,
      );
    }
    if (match.index > at) pieces.push({ text: text.slice(at, match.index) });
    pieces.push({ field, width, conversion: conversion === 'd' || conversion === 's' ? conversion : undefined, written });
    at = match.index + written.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at) });
  return pieces;
}

const fieldAliases: Readonly<Record<string, string>> = { ccd: 'detector', ccdnum: 'detector', sensor: 'detector' };

/** The name of the dimension that a field's name is another one for, whatever the repository; other names as they are. */
export function plainFieldName(field: string): string {
  return Object.hasOwn(fieldAliases, field) ? fieldAliases[field]! : field;
}

/** A regular expression for an integer. Each number has one text: zeros stand before it up to the width, and no more. */
export function integerSource(width: number): string {
  if (width < 2) return '0|[1-9]\\d{0,14}';
  return width === mostDigits ? `\\d{${mostDigits}}` : `\\d{${width}}|[1-9]\\d{${width},14}`;
}

/** A regular expression for a text as it is. */
export function literalSource(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
