// What is outside the cluster: Debian's docker-registry, and what its own log says was asked of it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PartUnavailable } from '../../cache.ts'
import { needPrograms } from '../../machine-programs.ts'
import { type ImageOptions, type PushedImage, pushImage } from './images.ts'
import { type Program, startProgram, until } from './program.ts'

/** A line of the registry's log. */
export interface AskedOutside {
  readonly from: string
  readonly method: string
  readonly path: string
  readonly status: number
  /** Bytes of the body. */
  readonly bytes: number
  readonly agent: string
}

export interface Outside extends AsyncDisposable {
  /** As nodes reach it. */
  readonly url: string
  push(image: ImageOptions): Promise<PushedImage>
  /** What nodes asked since {@link forget}, oldest first. */
  asked(): readonly AskedOutside[]
  /** Bytes of the blob that nodes were sent, over its size: how many copies of it left the registry. */
  copies(blob: { readonly digest: string; readonly size: number }): number
  forget(): void
  /** Cuts it off: nobody answers, connections are refused. */
  stop(): Promise<void>
  start(): Promise<void>
}

const port = 5055
const line =
  /^(?<from>[0-9.]+) - - \[[^\]]*\] "(?<method>[A-Z]+) (?<path>\S+) HTTP[^"]*" (?<status>\d+) (?<bytes>\d+) "[^"]*" "(?<agent>[^"]*)"/

/** Starts it in the namespace; `reach` is where this process finds it. @throws PartUnavailable where docker-registry cannot be had */
export async function startOutside(options: {
  readonly namespace: string
  readonly address: string
  readonly reach: string
}): Promise<Outside> {
  await needPrograms('docker-registry')
  const directory = mkdtempSync(join(tmpdir(), 'bo-'))
  const settings = join(directory, 'registry.yml')
  writeFileSync(
    settings,
    [
      'version: 0.1',
      'log: {level: warn}',
      `storage: {filesystem: {rootdirectory: ${join(directory, 'store')}}, maintenance: {uploadpurging: {enabled: false}}}`,
      `http: {addr: ':${port}', secret: laboratory}`,
      '',
    ].join('\n'),
  )
  const base = `http://${options.reach}:${port}`
  let log: AskedOutside[] = []
  let running: Program | undefined
  const start = async () => {
    const started = startProgram('docker-registry', ['serve', settings], {
      namespace: options.namespace,
      onLine(text) {
        const found = line.exec(text)?.groups
        if (found === undefined || !(found['from'] ?? '').startsWith('10.99.')) return
        const { from = '', method = '', path = '', agent = '' } = found
        log.push({ from, method, path, agent, status: Number(found['status']), bytes: Number(found['bytes']) })
      },
    })
    running = started
    await until('the registry answers', async () => {
      if (started.hasEnded()) throw new PartUnavailable(`docker-registry ended: ${started.log().slice(-500)}`)
      return (await fetch(`${base}/v2/`).catch(() => undefined))?.ok
    })
  }
  const stop = async () => {
    await running?.stop()
    running = undefined
  }
  await start()
  return {
    url: `http://${options.address}:${port}`,
    push: image => pushImage(base, image),
    asked: () => [...log],
    copies: ({ digest, size }) =>
      log
        .filter(({ method, path }) => method === 'GET' && path.includes(`/blobs/${digest}`))
        .reduce((total, { bytes }) => total + bytes, 0) / size,
    forget() {
      log = []
    },
    stop,
    start,
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
