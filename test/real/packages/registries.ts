// Real registries on the loopback: Debian's docker-registry, which asks for a password, and one that lists what refers to a manifest.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builtOnce, PartUnavailable } from '../cache.ts'
import { builtProgram } from '../clients/build.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { needPrograms } from '../machine-programs.ts'
import { startProgram, until } from '../mirror/laboratory/program.ts'

export interface RealRegistry extends AsyncDisposable {
  /** `localhost:5000` */
  readonly host: string
  /** Environment of those that may push there: docker's configuration, and no other home. */
  readonly environment: Readonly<Record<string, string>>
  /** As a header has it. */
  readonly authorization: string
}

const user = 'publisher'
const password = 'ballast-test'
/** Its bcrypt hash. */
const hash = '$2b$05$ekxdak.qagCLm6fML2ERMeisDKPnuqwML5ZX1sIGgH4tBrb9ofnnO'

/** Debian's docker-registry: it wants a password, and has no referrers API. `also` names it, too. @throws PartUnavailable */
export async function dockerRegistry(also: readonly string[] = []): Promise<RealRegistry> {
  await needPrograms('docker-registry')
  const directory = mkdtempSync(join(tmpdir(), 'ballast-registry-'))
  const port = await freePort()
  const settings = join(directory, 'registry.yml')
  writeFileSync(join(directory, 'users'), `${user}:${hash}\n`)
  writeFileSync(
    settings,
    [
      'version: 0.1',
      'log: {level: warn}',
      `storage: {filesystem: {rootdirectory: ${join(directory, 'store')}}, maintenance: {uploadpurging: {enabled: false}}}`,
      `auth: {htpasswd: {realm: check, path: ${join(directory, 'users')}}}`,
      `http: {addr: '127.0.0.1:${port}', secret: check}`,
      '',
    ].join('\n'),
  )
  return await started('docker-registry', ['serve', settings], port, directory, also)
}

/** The registry of `go/main.go`: it has the referrers API. @throws PartUnavailable */
export async function listingRegistry(): Promise<RealRegistry> {
  const path = await builtOnce('the listing registry', () => builtProgram(join(import.meta.dirname, 'go'), 'listing-registry'))
  const port = await freePort()
  return await started(path, [`127.0.0.1:${port}`], port, mkdtempSync(join(tmpdir(), 'ballast-registry-')))
}

async function started(
  program: string,
  words: readonly string[],
  port: number,
  directory: string,
  also: readonly string[] = [],
): Promise<RealRegistry> {
  const running = startProgram(program, words)
  await until('the registry answers', async () => {
    if (running.hasEnded()) throw new PartUnavailable(`${program} ended: ${running.log().slice(-500)}`)
    return (await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined)) !== undefined
  })
  const host = `localhost:${port}`
  const auth = Buffer.from(`${user}:${password}`).toString('base64')
  writeFileSync(
    join(directory, 'config.json'),
    JSON.stringify({ auths: Object.fromEntries([host, ...also].map(name => [name, { auth }])) }),
  )
  return {
    host,
    authorization: `Basic ${auth}`,
    // Helm has a file of its own, in the same form.
    environment: { HOME: directory, DOCKER_CONFIG: directory, HELM_REGISTRY_CONFIG: join(directory, 'config.json') },
    async [Symbol.asyncDispose]() {
      await running.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
