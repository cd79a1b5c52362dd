/** All templates of a camera together: which directories they reach, and which dataset a path is. */

import { ButlerfsError } from '../../../common/errors.js';
import type { Camera, FieldValues, Template, TemplateRoot } from './contract.js';
import { compileTemplate } from './template.js';
import type { CompiledTemplate, ComponentPattern } from './template.js';

/** A file that a template knows. */
export interface Match {
  readonly template: Template;
  readonly fields: FieldValues;
}

/** A directory on the way of templates: what its path has said so far. */
export interface Place {
  /** The place of a directory below; undefined where no template goes on there. */
  below(name: string): Place | undefined;
  /** The dataset that a file here is; undefined where it is none. */
  file(name: string): Match | undefined;
  /** Whether templates have directories below this one. */
  readonly hasDirectories: boolean;
}

export interface TemplateMatcher {
  /** The directory that paths begin in. */
  start(root: TemplateRoot): Place;
  /** The dataset at a path relative to that directory; of several templates that know it the most specific says. */
  match(root: TemplateRoot, path: string): Match | undefined;
  /** The template of a dataset type. */
  template(type: string): CompiledTemplate | undefined;
}

/** A point in the tree of all templates. */
interface Node {
  readonly pattern: ComponentPattern | undefined;
  readonly children: Map<string, Node>;
  /** The template that ends here. */
  end?: CompiledTemplate;
  /** Literal characters on the way here. */
  readonly literals: number;
}

interface Reached {
  readonly node: Node;
  readonly fields: FieldValues;
}

/**
 * Puts templates together. Throws `configuration` where two types have one and the same path.
 *
 * A directory is reached once however many templates lead through it; a file is compared with those that end in its directory only.
 */
export function compileTemplates({ templates }: Pick<Camera, 'templates'>, where?: string): TemplateMatcher {
  const compiled = new Map<string, CompiledTemplate>();
  const roots: Record<TemplateRoot, Node> = { repository: emptyNode(), rerun: emptyNode(), calibrations: emptyNode() };
  for (const template of Object.values(templates)) {
    const one = compileTemplate(template);
    compiled.set(template.type, one);
    let node = roots[template.root];
    for (const pattern of one.components) {
      let next = node.children.get(pattern.source);
      if (next === undefined)
        node.children.set(pattern.source, (next = { pattern, children: new Map(), literals: node.literals + pattern.literals }));
      node = next;
    }
    if (node.end !== undefined) throw sharedPath(node.end.template, template, where);
    node.end = one;
  }
  const start = (root: TemplateRoot): Place => new ReachedPlace([{ node: roots[root], fields: {} }]);
  return {
    start,
    match(root, path) {
      const names = path.split('/');
      let place: Place | undefined = start(root);
      for (const name of names.slice(0, -1)) place = place?.below(name);
      return place?.file(names.at(-1)!);
    },
    template: (type) => compiled.get(type),
  };
}

function emptyNode(): Node {
  return { pattern: undefined, children: new Map(), literals: 0 };
}

function sharedPath(first: Template, second: Template, where: string | undefined): ButlerfsError {
  return new ButlerfsError('configuration', {
    what: `templates '${first.type}: ${first.path}' and '${second.type}: ${second.path}'`,
    where,
    why: 'they have the same paths, so that nothing says of which type a file is',
    advice: `change the path of one, or set '${first.type}: null' to leave it out`,
  });
}

class ReachedPlace implements Place {
  readonly hasDirectories: boolean;
  readonly #directories: readonly Reached[];
  /** The most specific first. */
  readonly #files: readonly Reached[];

  constructor(reached: readonly Reached[]) {
    const children = reached.flatMap(({ node, fields }) => [...node.children.values()].map((child) => ({ node: child, fields })));
    this.#directories = children.filter(({ node }) => node.children.size > 0);
    this.#files = children.filter(({ node }) => node.end !== undefined).sort((a, b) => compareSpecific(a.node, b.node));
    this.hasDirectories = this.#directories.length > 0;
  }

  below(name: string): Place | undefined {
    const reached: Reached[] = [];
    for (const { node, fields } of this.#directories) {
      const found = node.pattern!.match(name, fields);
      if (found !== undefined) reached.push({ node, fields: found });
    }
    return reached.length === 0 ? undefined : new ReachedPlace(reached);
  }

  file(name: string): Match | undefined {
    for (const { node, fields } of this.#files) {
      const found = node.pattern!.match(name, fields);
      if (found !== undefined) return { template: node.end!.template, fields: found };
    }
    return undefined;
  }
}

function compareSpecific(a: Node, b: Node): number {
  const [left, right] = [a.end!, b.end!];
  return b.literals - a.literals || left.fields.length - right.fields.length || (left.template.type < right.template.type ? -1 : 1);
}
