// The programs of the arm64 image are run by an emulator, because the project has no arm64 machine. What they take of time says nothing, and the
// kernel below them is this machine's.
import { deepStrictEqual, doesNotMatch, match, strictEqual } from 'node:assert'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { digestOf } from '../../../scripts/image/layer.ts'
import { openInnerDoor } from '../../../src/capabilities/mirror/data-plane/inner-door.ts'
import {
  filePath,
  nginxConfiguration,
  peerPath,
  planeFiles,
} from '../../../src/capabilities/mirror/data-plane/nginx-configuration.ts'
import { buildTrouble } from '../../../src/capabilities/mirror/data-plane/nginx-program.ts'
import { ToldBodies } from '../../../src/capabilities/mirror/data-plane/told-bodies.ts'
import { agentTlsName } from '../../../src/capabilities/mirror/prefetch.ts'
import type { Check } from '../check.ts'
import { programPath } from '../control-plane/debian.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { atEnd } from '../endings.ts'
import { type CommandResult, commandOutput, runCommand } from '../run-command.ts'
import { ownImage } from './own-image.ts'

export const arm64Checks: readonly Check[] = [
  { name: 'image: the programs of the arm64 image run, by qemu-user', run: programsOfArm64 },
]

const host = '127.0.0.1'
const startLimitMs = 60_000
const blobBytes = 10 * 2 ** 20

async function programsOfArm64(): Promise<string> {
  const emulator = await programPath('trixie', 'qemu-user', 'usr/bin/qemu-aarch64')
  using place = temporaryDirectory()
  const root = await unpackedImage(place.path)
  // The emulator looks in the image first for every file that a program opens, so the loader and the libraries are the image's.
  const command = (program: string, ...args: string[]) => [emulator, '-L', root, join(root, program), ...args] as const
  const run = async (program: string, ...args: string[]) => {
    const [first, ...rest] = command(program, ...args)
    const result = await runCommand(first, rest, { env: { NODE_OPTIONS: '' }, timeoutMs: startLimitMs })
    strictEqual(result.code, 0, `${program} ${args.join(' ')}: ${said(result)}`)
    return said(result)
  }

  strictEqual((await run('bin/node', '-p', 'process.arch')).trim(), 'arm64')
  match(await run('bin/node', join(root, 'app', 'ballast.mjs'), '--help'), /Usage: ballast/)
  const haproxy = await run('usr/sbin/haproxy', '-vv')
  match(haproxy, /Running on: .* aarch64/)
  match(haproxy, /Built with OpenSSL/)
  const nginx = await run('usr/sbin/nginx', '-V')
  strictEqual(buildTrouble(nginx), undefined)

  const plane = await planeAt(join(place.path, 'plane'))
  const withConfiguration = ['-e', 'stderr', '-p', plane.directory, '-c', join(plane.directory, planeFiles.configuration)]
  match(await run('usr/sbin/nginx', ...withConfiguration, '-t'), /test is successful/)
  const carried = await bodiesBy(command('usr/sbin/nginx', ...withConfiguration), plane)
  const version = (text: string) => /version:? (?:nginx\/)?(\S+)/.exec(text)?.[1]
  return `Node and the command, HAProxy ${version(haproxy)}, nginx ${version(nginx)}: ${carried}`
}

const said = ({ stdout, stderr }: CommandResult) => `${stdout}${stderr}`

/** A folder of the image's files, unpacked layer by layer. @throws PartUnavailable where the image's parts cannot be had */
async function unpackedImage(directory: string): Promise<string> {
  const image = await ownImage()
  const [archive = ''] = globSync('*-linux-arm64.tar', { cwd: image })
  return await unpackedArchive(join(image, archive), directory)
}

/** The files of an image that `docker load` takes, in a folder below `directory`. */
export async function unpackedArchive(archive: string, directory: string): Promise<string> {
  const layout = join(directory, 'layout')
  const root = join(directory, 'root')
  for (const path of [layout, root]) mkdirSync(path)
  await commandOutput('tar', ['-xf', archive, '-C', layout])
  const [manifest]: readonly { readonly Layers: readonly string[] }[] = JSON.parse(
    readFileSync(join(layout, 'manifest.json'), 'utf8'),
  )
  for (const layer of manifest?.Layers ?? []) await commandOutput('tar', ['-xzf', join(layout, layer), '-C', root])
  return root
}

interface Plane {
  readonly directory: string
  readonly registry: number
  readonly peers: number
}

/** Writes what an agent writes before it starts nginx: the configuration, with mutual TLS for peers, and the certificates. */
async function planeAt(directory: string): Promise<Plane> {
  mkdirSync(directory)
  const [registry = 0, peers = 0] = await freePorts(2)
  const configuration = nginxConfiguration({
    directory,
    registry: [{ host, port: registry }],
    peers: { host, port: peers },
    ...{ connectMs: 5_000, stallMs: 30_000, connections: 1_024 },
    isRoot: process.getuid?.() === 0,
    hasIpv6: false,
  })
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'agents', nowMs })
  const names = { commonName: agentTlsName, dnsNames: [agentTlsName] }
  const leaf = await issueLeaf(authority, { ...names, nowMs, usages: ['server', 'client'] })
  const files = { configuration, ca: authority.certificate, certificate: leaf.certificate, key: leaf.key }
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, planeFiles[name as keyof typeof files]), content)
  return { directory, registry, peers }
}

/** Gets a blob from its file, and from a peer. nginx is its own peer, so that both ends of the mutual TLS are the image's. */
async function bodiesBy(
  [program, ...args]: readonly [string, ...string[]],
  { directory, registry, peers }: Plane,
): Promise<string> {
  const content = randomBytes(blobBytes)
  const digest = digestOf(content)
  const folder = join(directory, 'blobs', 'sha256')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, digest.slice('sha256:'.length))
  writeFileSync(file, content)
  const blobs = `/v2/acme/app/blobs/${digest}`
  const asked = { file: blobs, peer: `${blobs}?ns=peer` }
  /** Leads a request to a path of nginx's. It answers others too, since the answer shows that nginx runs. */
  const leads =
    (paths: Readonly<Record<string, string>>): RequestListener =>
    ({ url = '' }, response) => {
      const path = paths[url]
      const headers = path === undefined ? {} : { 'x-accel-redirect': path, 'docker-content-digest': digest }
      response.writeHead(200, { ...headers, 'content-length': 0 }).end()
    }
  const fromPeer = peerPath(2, 'mtls', { host, port: peers, target: blobs })
  const forRegistry = leads({ [asked.file]: filePath(1, file, false), [asked.peer]: fromPeer })
  await using _registry = await openInnerDoor(join(directory, planeFiles.registry), forRegistry)
  await using _peers = await openInnerDoor(join(directory, planeFiles.peers), leads({ [blobs]: filePath(3, file, false) }))

  await using nginx = startGroup(program, args)
  const url = `http://${host}:${registry}`
  const startedMs = systemClock.elapsed()
  while (!(await isAnswered(url))) {
    if (nginx.hasEnded() || systemClock.elapsed() - startedMs > startLimitMs)
      throw new Error(`nginx did not start: ${nginx.log()}`)
    await systemClock.after(50)
  }
  for (const target of Object.values(asked)) {
    const answer = await fetch(`${url}${target}`)
    const bytes = Buffer.from(await answer.arrayBuffer())
    deepStrictEqual([answer.status, answer.headers.get('server'), digestOf(bytes)], [200, 'nginx', digest], nginx.log())
  }
  // nginx has written of every body when it has ended.
  await nginx.stop()
  const told = new ToldBodies(join(directory, planeFiles.told), () => undefined)
  const bodies = told.read().map(({ order, isComplete, sent }) => [order, isComplete, sent])
  told.close()
  deepStrictEqual(
    bodies.toSorted(),
    [1, 2, 3].map(order => [order, true, blobBytes]),
  )
  doesNotMatch(nginx.log(), /\[(emerg|alert|crit|error)\]/)
  return `${blobBytes / 2 ** 20} MiB from a file, and from a peer by mutual TLS`
}

async function isAnswered(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false // nginx does not listen yet.
  }
}

interface Group extends AsyncDisposable {
  readonly hasEnded: () => boolean
  readonly log: () => string
  /** Asks its first process to end in order, and waits until all have. */
  stop(): Promise<void>
}

/** Starts a program in a process group of its own, because its workers would outlive it where it alone is killed. */
function startGroup(program: string, args: readonly string[]): Group {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // ESRCH: nothing of the group is left.
    }
  }
  const isOver = atEnd(kill)
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  child.on('error', error => {
    log += error.message
  })
  let hasEnded = false
  // The output stays open until the last worker has ended, because each holds it.
  const ended = new Promise<void>(resolve => {
    child.once('close', () => {
      hasEnded = true
      isOver()
      resolve()
    })
  })
  return {
    hasEnded: () => hasEnded,
    log: () => log,
    stop() {
      child.kill('SIGTERM')
      return ended
    },
    [Symbol.asyncDispose]() {
      kill()
      return ended
    },
  }
}

function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ballast-arm64-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
