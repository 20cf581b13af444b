// Certificates for clients: a first pair, and further ones by the names they bear; read again when files change.

import { X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext, rootCertificates, type SecureContext, type TlsOptions } from 'node:tls'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import type { KeyPair } from '#kube/server/certificates.ts'
import { watchedPair } from '#kube/server/serving/serving-pair.ts'
import type { GatewayConfig } from '../config.ts'

const lookAgainMs = 60_000
const mostPairs = 1_000
/** Folders within folders. */
const deepest = 4

export interface GatewayTls extends Disposable {
  readonly options: TlsOptions
  /** As connections to targets take it. */
  readonly toTargets: Readonly<Record<string, unknown>>
  onChange(use: (options: TlsOptions) => void): void
}

/** @returns undefined where TLS is off. @throws InputError naming the file that cannot be served */
export async function gatewayTls(
  config: GatewayConfig['tls'],
  around: { readonly clock: Clock; readonly log: Log },
): Promise<GatewayTls | undefined> {
  if (!config.enabled) return undefined
  const { clock, log } = around
  const first = await watchedPair({ certificate: config.certificateFile, key: config.keyFile }, around)
  let pairs = await pairsIn(config.stores, around)
  let contexts = contextsOf(pairs)
  const change: { use?: (options: TlsOptions) => void } = {}
  const options = (): TlsOptions => ({
    cert: first.current.certificate,
    key: first.current.key,
    minVersion: config.minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    SNICallback: (name, done) =>
      done(null, contexts.get(name.toLowerCase()) ?? contexts.get(name.toLowerCase().replace(/^[^.]+/, '*'))),
  })
  first.onChange(() => change.use?.(options()))
  let cancel: Cancel = () => undefined
  let isOver = false
  const look = async () => {
    using _ = clock.hold()
    try {
      const found = await pairsIn(config.stores, around)
      if (isOver) return
      const old = pairs
      pairs = found
      contexts = contextsOf(found)
      for (const pair of old) pair[Symbol.dispose]()
    } catch (error) {
      log.warn({ why: messageOf(error) }, 'the folders of certificates cannot be read: the old ones stay')
    }
  }
  const later = () => {
    if (!isOver && config.stores.length > 0) cancel = clock.schedule(lookAgainMs, () => void look().then(later))
  }
  later()
  return {
    options: options(),
    toTargets: {
      ca: [...rootCertificates, first.current.certificate, ...pairs.map(({ current }) => current.certificate)],
      rejectUnauthorized: !config.skipVerify,
    },
    onChange: use => {
      change.use = use
    },
    [Symbol.dispose]() {
      isOver = true
      cancel()
      first[Symbol.dispose]()
      for (const pair of pairs) pair[Symbol.dispose]()
    },
  }
}

type Pair = Awaited<ReturnType<typeof watchedPair>>

async function pairsIn(
  folders: readonly string[],
  around: { readonly clock: Clock; readonly log: Log },
): Promise<readonly Pair[]> {
  const files = (await Promise.all(folders.map(folder => filesIn(folder, 0)))).flat()
  const keys = new Map(files.flatMap(file => pairName(file, ['-key.pem', '.key'])))
  const certificates = files.flatMap(file => (file.endsWith('-key.pem') ? [] : pairName(file, ['.pem', '.crt'])))
  const pairs: Pair[] = []
  for (const [name, certificate] of certificates.slice(0, mostPairs)) {
    const key = keys.get(name)
    const found = 'no key'
    if (key === undefined)
      throw new InputError([
        { code: 'serving-certificate', where: certificate, found, expected: `${name}.key or ${name}-key.pem` },
      ])
    pairs.push(await watchedPair({ certificate, key }, around))
  }
  return pairs
}

function pairName(file: string, endings: readonly string[]): [string, string][] {
  const ending = endings.find(one => file.endsWith(one))
  return ending === undefined ? [] : [[file.slice(0, -ending.length), file]]
}

async function filesIn(folder: string, depth: number): Promise<readonly string[]> {
  let entries: Awaited<ReturnType<typeof entriesOf>>
  try {
    entries = await entriesOf(folder)
  } catch (error) {
    throw new InputError([
      { code: 'serving-certificate', where: folder, found: messageOf(error), expected: 'a folder of certificates' },
    ])
  }
  const found: string[] = []
  for (const entry of entries) {
    // Kubelets keep the versions of a mounted Secret in folders whose names begin with two dots.
    if (entry.name.startsWith('..')) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) found.push(...(depth < deepest ? await filesIn(path, depth + 1) : []))
    else found.push(path)
  }
  return found.toSorted()
}

function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true })
}

/** By each name that a certificate bears, in lower case. */
function contextsOf(pairs: readonly { readonly current: KeyPair }[]): ReadonlyMap<string, SecureContext> {
  const contexts = new Map<string, SecureContext>()
  for (const { current } of pairs) {
    const context = createSecureContext({ cert: current.certificate, key: current.key })
    for (const name of namesOf(current.certificate)) contexts.set(name, context)
  }
  return contexts
}

function namesOf(certificate: string): readonly string[] {
  const names = new X509Certificate(certificate).subjectAltName ?? ''
  return names
    .split(', ')
    .filter(name => name.startsWith('DNS:') || name.startsWith('IP Address:'))
    .map(name => name.slice(name.indexOf(':') + 1).toLowerCase())
}
