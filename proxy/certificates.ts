/** Which authorities may vouch for a server: those that Node knows, or that the environment names, and those of a file. */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { ButlerfsError } from '../common/errors.js';

export interface CertificateSettings {
  /** Absolute path of a PEM file with further authorities. */
  readonly caFile?: string | undefined;
  /** Default: that of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * What TLS connections are made with, or undefined where Node's own default says it all. `SSL_CERT_FILE` stands in place of the authorities that Node knows, as
 * it does with OpenSSL; `NODE_EXTRA_CA_CERTS` and `caFile` add to them. Throws `configuration` for a file that cannot be read or holds no certificate.
 */
export function loadAuthorities({ caFile, environment = process.env }: CertificateSettings): SecureContext | undefined {
  const inPlace = environment['SSL_CERT_FILE'] || undefined;
  if (inPlace === undefined && caFile === undefined) return undefined;
  const known = inPlace === undefined ? rootCertificates : readCertificates(inPlace, 'SSL_CERT_FILE');
  const extra = environment['NODE_EXTRA_CA_CERTS'] || undefined;
  const ca = [
    ...known,
    ...(extra === undefined ? [] : readCertificates(extra, 'NODE_EXTRA_CA_CERTS')),
    ...(caFile === undefined ? [] : readCertificates(caFile, 'ca-file')),
  ];
  try {
    return createSecureContext({ ca });
  } catch (error) {
    throw new ButlerfsError('configuration', {
      what: 'the authorities of SSL_CERT_FILE, NODE_EXTRA_CA_CERTS and ca-file',
      why: 'they cannot be used',
      cause: error,
    });
  }
}

/**
 * The same, asked for when the first connection needs it, and read once: a bundle of a system takes a quarter of a second. A file that the user names is read at
 * once, so that a wrong one is heard of.
 */
export function authoritiesOnDemand(settings: CertificateSettings): () => SecureContext | undefined {
  let loaded: { readonly context: SecureContext | undefined } | undefined;
  const load = (): SecureContext | undefined => (loaded ??= { context: loadAuthorities(settings) }).context;
  if (settings.caFile !== undefined) load();
  return load;
}

function readCertificates(file: string, option: string): string[] {
  const wrong = (why: string, cause?: unknown): ButlerfsError =>
    new ButlerfsError('configuration', { what: `${option} ${file}`, why, advice: 'give a file of certificates in PEM form', cause });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw wrong(`it cannot be read: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  const certificates = text.match(/-----BEGIN (TRUSTED )?CERTIFICATE-----[^-]*-----END (TRUSTED )?CERTIFICATE-----/g) ?? [];
  if (certificates.length === 0) throw wrong('it holds no certificate');
  certificates.forEach((certificate, index) => {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      throw wrong(`its certificate ${index + 1} cannot be understood`, error);
    }
  });
  return certificates;
}
