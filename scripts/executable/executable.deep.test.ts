// The single executable, away from the repository and from any Node: its commands, its own processes and threads, its names, and its bytes twice.
import { fork, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundle } from '../image/bundle.ts'
import { packageCache } from '../image/kept-file.ts'
import { platforms } from '../image/platforms.ts'
import { commitOf } from '../image/revision.ts'
import { buildExecutables } from './build-executable.ts'

const root = join(import.meta.dirname, '..', '..')
/** The most that each may have, in bytes; it had 130 MB when this was written. */
const budget = 145e6
const here = platforms.filter(({ nodePackage }) => nodePackage === `node-${process.platform}-${process.arch}`)

describe.runIf(here.length > 0)('the single executable', () => {
  let folder = ''
  let empty = ''
  let program = ''
  const options = { root, cache: packageCache(process.env), commit: commitOf(root, process.env['SOURCE_DATE_EPOCH']) }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ballast executable-'))
    empty = join(folder, 'empty')
    mkdirSync(empty)
    ;[program = ''] = await buildExecutables({
      ...options,
      program: await bundle(root),
      platforms: here,
      directory: join(folder, 'built'),
    })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const environment = () => ({ HOME: empty, PATH: '/nowhere', NO_COLOR: '1' })
  const run = (words: readonly string[], called = program) =>
    spawnSync(called, words, { cwd: empty, encoding: 'utf8', env: environment(), timeout: 240_000 })
  const linkedAs = (name: string) => {
    const path = join(folder, name)
    symlinkSync(program, path)
    return path
  }

  test('says what it is, and is not larger than it was', () => {
    const { status, stdout, stderr } = run(['version', '-o', 'json'])
    expect([status, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).clientVersion).toMatchObject({ packedAs: 'executable', gitCommit: options.commit.revision })
    expect(statSync(program).size).toBeLessThan(budget)
  })

  test('plans an example that is inside, by the solver in a process of its own, and writes nothing', () => {
    const { status, stdout } = run(['plan', '--cluster', 'examples/talos-homelab'])
    expect(stdout).toMatch(/^15 moves; no plan that keeps the margins has fewer \(relaxation: 14\.\d+\)$/m)
    expect(status).toBe(0)
    expect(readdirSync(empty)).toEqual([])
  })

  test('says that an example is not there as of any other path', () => {
    const { status, stderr } = run(['plan', '--cluster', join(program, 'assets', 'examples', 'nobodys')])
    expect(status).toBe(2)
    expect(stderr).toContain('no such file or directory')
  })

  test('is what it is called', () => {
    expect(run(['plan', '--help'], linkedAs('kubectl-ballast')).stdout).toMatch(/^Usage: kubectl ballast plan /)
    expect(run(['version'], linkedAs('descheduler')).stdout).toMatch(/^Descheduler version ballast v/)
    expect(run(['version', '-o', 'j'], linkedAs('kubectl_complete-ballast')).stdout).toBe('json\n:4\n')
    expect(run(['completion', 'fish']).stdout).toContain('complete --command ballast')
  })

  test('shows the page, runs the API server, and a controller beside them that listens in a thread of its own', async () => {
    const kubeconfig = join(folder, 'kubeconfig')
    const up = spawn(program, ['up', '--port', '0', '--kubeconfig-out', kubeconfig], { cwd: empty, env: environment() })
    const controller: { child?: ReturnType<typeof spawn> } = {}
    try {
      const url = await saidBy(up, /^Ballast {2}(http:\/\/\S+)/m)
      await saidBy(up, /runs in the twin: (https:\S+),/)
      const html = await (await fetch(url)).text()
      const script = /assets\/[\w.-]+\.js/.exec(html)?.[0] ?? ''
      expect((await fetch(new URL(script, url))).status).toBe(200)
      expect(
        JSON.parse(run(['version', '--kubeconfig', kubeconfig, '--timeout', '60', '-o', 'json']).stdout).serverVersion.kubernetes,
      ).toMatch(/^v1\./)

      const address = `127.0.0.1:${await freePort()}`
      const words = ['controller', '--kubeconfig', kubeconfig, '--health-probe-bind-address', address, '--log-level', 'info']
      controller.child = spawn(program, words, { cwd: empty, env: environment() })
      let said = ''
      controller.child.stderr?.on('data', chunk => {
        said += String(chunk)
      })
      await expect.poll(async () => await statusOf(`http://${address}/livez`)).toBe(200)
      // Nothing is told of Node's own experiments.
      expect(said).not.toContain('ExperimentalWarning')
    } finally {
      for (const child of [controller.child, up])
        if (child !== undefined) {
          const ended = once(child, 'close')
          child.kill('SIGKILL')
          await ended
        }
    }
  })

  test('begins again as its own process for files of shares', async () => {
    const child = fork(join(program, 'file-work-process.mjs'), [], { execPath: program, env: {}, execArgv: [] })
    const ended = once(child, 'close')
    try {
      child.send({ kind: 'list', root: folder, path: '', limit: 1_000 })
      const [{ kind, result }] = await once(child, 'message')
      expect([kind, result.isWhole]).toEqual(['result', true])
    } finally {
      child.kill('SIGKILL')
      await ended
    }
  })

  test('is the same bytes when it is built again', async () => {
    const [again = ''] = await buildExecutables({
      ...options,
      program: await bundle(root),
      platforms: here,
      directory: join(folder, 'again'),
    })
    expect(hashOf(again)).toBe(hashOf(program))
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

/** `undefined` as long as nobody answers. */
async function statusOf(url: string): Promise<number | undefined> {
  try {
    return (await fetch(url)).status
  } catch {
    return undefined // Not listening yet, which is what the caller waits for.
  }
}

const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** The first group of what it says on either stream. @throws Error with what was said, where it ends before */
async function saidBy(child: ReturnType<typeof spawn>, pattern: RegExp): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let said = ''
  const hear = (chunk: unknown) => {
    said += String(chunk)
    const found = pattern.exec(said)?.[1]
    if (found !== undefined) resolve(found)
  }
  child.stdout?.on('data', hear)
  child.stderr?.on('data', hear)
  child.once('close', code => reject(new Error(`it ended with ${code} before it said ${pattern}: ${said}`)))
  return await promise
}
