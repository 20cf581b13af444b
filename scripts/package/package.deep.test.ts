// The npm package as people get it: packed, installed in an empty folder, without a registry and from one that is played, on a new Node and an old.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageCache } from '../image/kept-file.ts'
import { LockFile } from '../image/lock-file.ts'
import { nodeArchive } from '../image/node-binary.ts'
import { platforms } from '../image/platforms.ts'

const root = join(import.meta.dirname, '..', '..')
const { version, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** The most that the package may have, in bytes; it had 5.8 MB when this was written. */
const budget = 8e6
/** Without what this project has installed. */
const outerPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter(directory => !directory.startsWith(join(root, 'node_modules')))
  .join(delimiter)
const outerNode = spawnSync('node', ['--version'], { encoding: 'utf8', env: { PATH: outerPath } }).stdout?.trim() ?? ''
const isOld = /^v2[0-3]\./.test(outerNode)

let folder = ''
let archive = ''

/** npm of the machine, with nothing of our own settings. */
function npm(words: readonly string[], { cwd, ...more }: { readonly cwd: string } & Readonly<Record<string, string>>) {
  const environment = { PATH: outerPath, HOME: join(folder, 'home'), npm_config_update_notifier: 'false', NO_COLOR: '1', ...more }
  const [program = '', ...rest] = words
  return new Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resolve, reject) => {
    const child = spawn(program, rest, { cwd, env: environment, stdio: ['ignore', 'pipe', 'pipe'], timeout: 280_000 })
    const said = { stdout: '', stderr: '' }
    child.stdout.on('data', chunk => {
      said.stdout += String(chunk)
    })
    child.stderr.on('data', chunk => {
      said.stderr += String(chunk)
    })
    child.on('error', reject)
    child.on('close', code => resolve({ code, ...said }))
  })
}

function emptyFolder(name: string): string {
  const cwd = join(folder, name)
  mkdirSync(cwd)
  writeFileSync(join(cwd, 'package.json'), '{}')
  return cwd
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-package-'))
  mkdirSync(join(folder, 'home'))
  const packed = await npm(['npm', 'pack', '--pack-destination', folder], { cwd: root })
  expect(packed.code, packed.stderr).toBe(0)
  expect(packed.stderr).not.toMatch(/npm warn/i)
  archive = join(folder, packed.stdout.trim().split('\n').at(-1) ?? '')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('is small, needs no package but a Node, and names no file of the sources', () => {
  expect(statSync(archive).size).toBeLessThan(budget)
  const listed = spawnSync('tar', ['-tzf', archive], { encoding: 'utf8' }).stdout.trim().split('\n')
  expect(listed).toEqual(
    expect.arrayContaining(['package/bin/packaged.js', 'package/dist/program/ballast.mjs', 'package/LICENSE']),
  )
  expect(listed.filter(name => /^package\/(?:src|test|scripts|node_modules|docs)\//.test(name))).toEqual([])
  const text = spawnSync('tar', ['-xzOf', archive, 'package/package.json'], { encoding: 'utf8' }).stdout
  const manifest = JSON.parse(text)
  expect([manifest.private, manifest.dependencies]).toEqual([undefined, undefined])
  expect(Object.keys(optionalDependencies)).toEqual(expect.arrayContaining(platforms.map(({ nodePackage }) => nodePackage)))
})

describe('installed where no registry is', () => {
  let cwd = ''
  const node = { PATH: [join(root, 'node_modules', '.bin'), outerPath].join(delimiter) }
  beforeAll(async () => {
    cwd = emptyFolder('offline')
    const installed = await npm(['npm', 'install', archive, '--offline', '--no-audit', '--no-fund'], { cwd })
    expect(installed.code, installed.stderr).toBe(0)
  })

  test('it says what it is', async () => {
    const { code, stdout, stderr } = await npm(['npx', '--offline', 'ballast', 'version', '--client', '-o', 'json'], {
      cwd,
      ...node,
    })
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).clientVersion).toMatchObject({ version, packedAs: 'npm', nodeVersion: process.version })
  })

  test('it plans an example that came with it, by the solver in a process of its own', async () => {
    const { code, stdout } = await npm(['npx', '--offline', 'ballast', 'plan', '--cluster', 'examples/talos-homelab'], {
      cwd,
      ...node,
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^15 moves; no plan that keeps the margins has fewer/m)
  })

  test('it is a plug-in of kubectl by its other name, and completes', async () => {
    const help = await npm([join(cwd, 'node_modules', '.bin', 'kubectl-ballast'), 'plan', '--help'], { cwd, ...node })
    expect(help.stdout).toMatch(/^Usage: kubectl ballast plan /)
    const words = await npm([join(cwd, 'node_modules', '.bin', 'kubectl_complete-ballast'), 'plan', '-o', 'j'], { cwd, ...node })
    expect(words.stdout).toBe('json\n:4\n')
  })

  test.runIf(isOld)('on a Node that is too old it says what to do', async () => {
    const { code, stderr } = await npm([join(cwd, 'node_modules', '.bin', 'ballast'), 'version'], { cwd })
    expect(code).toBe(1)
    expect(stderr).toBe(
      `ballast: this is Node ${outerNode.slice(1)}, and no Node 24 for ${process.platform}-${process.arch} was installed with it; install Node 24 or newer, or install again with optional dependencies\n`,
    )
  })
})

describe('from a registry that is played', () => {
  const asked: string[] = []
  const platform = platforms.find(({ nodePackage }) => nodePackage === `node-${process.platform}-${process.arch}`)
  const files = new Map<string, Buffer>()
  const server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? '').slice(1))
    asked.push(name)
    const file = files.get(name)
    if (file === undefined) response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}')
    else response.end(file)
  })
  let registry = ''

  /** A package as a registry has it, with its archive. */
  function serve(name: string, one: string, content: Buffer, more: object): void {
    files.set(`${name}.tgz`, content)
    const manifest = { name, version: one, dist: { tarball: `${registry}${name}.tgz` }, ...more }
    files.set(name, Buffer.from(JSON.stringify({ name, 'dist-tags': { latest: one }, versions: { [one]: manifest } })))
  }

  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    registry = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`
    const bin = { ballast: 'bin/packaged.js' }
    serve('ballast', version, readFileSync(archive), { bin, optionalDependencies, engines: { node: '>=20' } })
    if (platform === undefined) return
    const { nodePackage } = platform
    const content = nodeArchive(platform, new LockFile(root), packageCache(process.env))
    serve(nodePackage, optionalDependencies[nodePackage], content, { os: [process.platform], cpu: [process.arch] })
  })
  afterAll(() => server.close())

  test.runIf(isOld && platform !== undefined)('npx runs it on an old Node by the Node of its platform’s package', async () => {
    const cwd = emptyFolder('npx')
    const { code, stdout, stderr } = await npm(['npx', '--yes', 'ballast', 'version', '--client', '-o', 'json'], {
      ...{ cwd, npm_config_registry: registry, npm_config_audit: 'false' },
    })
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout).clientVersion).toMatchObject({
      nodeVersion: `v${optionalDependencies[platform?.nodePackage ?? '']}`,
      packedAs: 'npm',
    })
  })

  test('it could be published: npm has nothing to warn of', async () => {
    files.delete('ballast')
    const { code, stderr } = await npm(['npm', 'publish', archive, '--dry-run', '--access', 'public', '--registry', registry], {
      cwd: folder,
    })
    expect(code, stderr).toBe(0)
    // Nobody is logged in to a registry that is played.
    const warnings = stderr.split('\n').filter(line => /^npm warn/i.test(line) && !line.includes('requires you to be logged in'))
    expect(warnings).toEqual([])
    expect(asked).toContain('ballast')
  })
})
