// The certificate that the dashboard shows: of files that may be renewed while it runs, or made for itself where a proxy asks that knows it
// by its own configuration.
import { readFile, stat } from 'node:fs/promises'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import type { DashboardConfiguration } from '../configuration.ts'

const lookMs = 60_000

/** What the files say. @throws InputError where one cannot be read */
export async function readPair({ certFile, keyFile }: NonNullable<DashboardConfiguration['tls']>): Promise<KeyPair> {
  const [certificate, key] = await Promise.all([
    readPem(certFile, 'dashboard.tls.certFile'),
    readPem(keyFile, 'dashboard.tls.keyFile'),
  ])
  return { certificate, key }
}

/** A text of PEM blocks. @throws InputError where it cannot be read or is none */
export async function readPem(path: string, where: string): Promise<string> {
  const refused = (found: string) =>
    new InputError([{ code: 'dashboard-certificate', where, found, expected: 'a file with certificates or a key in PEM form' }])
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw refused(messageOf(error))
  }
  if (!text.includes('-----BEGIN ')) throw refused(`${path} without PEM`)
  return text
}

/** A pair of our own, good for five years: for a proxy that is told not to look at it. */
export async function ownPair(names: readonly string[], nowMs: number): Promise<KeyPair> {
  const authority = await issueAuthority({ commonName: 'ballast-dashboard', nowMs })
  const isAddress = (name: string) => /^[\d.]+$|:/.test(name)
  return issueLeaf(authority, {
    commonName: 'ballast-dashboard',
    dnsNames: names.filter(name => !isAddress(name)),
    ipAddresses: names.filter(isAddress),
    usages: ['server'],
    nowMs,
    lifeMs: 5 * 365 * 86_400_000,
  })
}

/** Tells of each pair that is written into the files, until disposed of. One that cannot be read leaves the last in use. */
export function watchPair(
  files: NonNullable<DashboardConfiguration['tls']>,
  onPair: (pair: KeyPair) => void,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Disposable {
  let seen: string | undefined
  let cancel: () => void = () => undefined
  const look = async () => {
    try {
      const times = await Promise.all([files.certFile, files.keyFile].map(async path => (await stat(path)).mtimeMs))
      const mark = times.join()
      if (seen !== undefined && mark !== seen) onPair(await readPair(files))
      seen = mark
    } catch (error) {
      log.warn({ err: messageOf(error) }, 'the certificate of the dashboard could not be read again')
    }
  }
  const lookLater = () => {
    cancel = clock.schedule(lookMs, () => {
      lookLater()
      void look()
    })
  }
  void look()
  lookLater()
  return { [Symbol.dispose]: () => cancel() }
}
