// What Ballast writes about a node's containerd, read by real ones: hosts files on the way of a pull, the fragment as an import, and the
// script of cloud-init run by a plain shell in a network namespace.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { silentLog } from '#kube/log.ts'
import { nodeSettings, standardTalosPart } from '../../../../src/capabilities/mirror/node-files/node-settings.ts'
import { nodeTexts, printedTexts } from '../../../../src/capabilities/mirror/node-files/node-texts.ts'
import { writeConfiguration } from '../../../../src/capabilities/mirror/node-files/writer.ts'
import { PartUnavailable } from '../../cache.ts'
import type { Check } from '../../check.ts'
import { needPrograms } from '../../machine-programs.ts'
import { commandOutput, runCommand } from '../../run-command.ts'
import { type ContainerdLine, containerdPath, startNodeContainerd } from '../containerd.ts'

/** Logs who asked for what and has nothing. */
class AskedServer implements AsyncDisposable {
  readonly asked: string[] = []
  readonly #server = createServer((request, response) => {
    this.asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`)
    response.writeHead(404, { 'content-length': 0 }).end()
  })

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('no port')
    return address.port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

const digest = `sha256:${'a'.repeat(64)}`

/** Each directory is found, our mirror is asked before what was there, with the header; without `resolve` no tag is asked. */
async function hostsFilesAreRead(line: ContainerdLine): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'hosts-'))
  await using mirror = new AskedServer()
  await using other = new AskedServer()
  await using registry = new AskedServer()
  const [mirrorPort, otherPort, registryPort] = [await mirror.listen(), await other.listen(), await registry.listen()]
  try {
    await using containerd = await startNodeContainerd({ line })
    const name = `localhost:${registryPort}`
    const wish = {
      registryConfigPath: directory,
      mirrorTargets: [`http://127.0.0.1:${mirrorPort}`],
      dialTimeout: '200ms',
      basicAuth: { username: 'hello', password: 'world' },
      nowMs: 0,
      log: silentLog,
    } as const
    const ask = async (reference: string) => {
      for (const server of [mirror, other, registry]) server.asked.length = 0
      await containerd.pull(reference, { hostsDirectory: directory, flags: ['--plain-http'] })
      return [mirror.asked, other.asked, registry.asked].map(asked => [...asked])
    }
    await writeConfiguration({ ...wish, mirroredRegistries: [], resolveTags: true, existing: 'replace' })
    const [whole = [], , outside = []] = await ask(`${name}/acme/app:v1`)
    const ns = encodeURIComponent(name)
    const head = `HEAD /v2/acme/app/manifests/v1?ns=${ns} Basic aGVsbG86d29ybGQ=`
    assert.equal(whole[0], head, '_default: our mirror is asked first, with the header')
    assert.ok(outside.length > 0, 'and then the registry')
    rmSync(directory, { recursive: true })
    await writeConfiguration({ ...wish, mirroredRegistries: [`http://${name}`], resolveTags: true, existing: 'replace' })
    const [named = []] = await ask(`${name}/acme/app:v1`)
    assert.equal(named[0], head, 'the directory of the registry')
    await writeConfiguration({ ...wish, mirroredRegistries: [`http://${name}`], resolveTags: false, existing: 'replace' })
    const [untagged = []] = await ask(`${name}/acme/app:v1`)
    assert.deepEqual(untagged, [], 'without resolve no tag is asked of the mirror')
    const before = `ca = '/no/such'\n[host.'http://127.0.0.1:${otherPort}']\ncapabilities = ["pull", "resolve"]\n`
    rmSync(directory, { recursive: true })
    await writeConfiguration({ ...wish, mirroredRegistries: [], resolveTags: true, existing: 'replace' })
    writeFileSync(join(directory, '_default', 'hosts.toml'), before)
    rmSync(join(directory, '_backup'), { recursive: true })
    await writeConfiguration({ ...wish, mirroredRegistries: [], resolveTags: true, existing: 'prepend' })
    const [first = [], second = []] = await ask(`${name}/acme/app@${digest}`)
    assert.ok((first[0] ?? '').startsWith(`HEAD /v2/acme/app/manifests/${digest}`), 'ours first')
    assert.ok((second[0] ?? '').endsWith(' -'), 'the host that was there is asked after it, without our header')
    return `containerd ${containerd.version}: ${whole.length + named.length + first.length} requests reached the mirror, ${second.length} the host that was configured before`
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const wish = {
  nodeIp: undefined,
  port: 30_020,
  mirrors: [],
  registries: [],
  resolveTags: true,
  dialTimeout: '200ms',
  configPath: undefined,
  basicAuth: undefined,
  keepLayers: true,
  allowLoopback: false,
  talosPart: standardTalosPart,
} as const

const printed = (changed: Partial<Parameters<typeof nodeSettings>[0]> & Pick<Parameters<typeof nodeSettings>[0], 'platform'>) =>
  printedTexts(nodeTexts(nodeSettings({ ...wish, containerd: 2, ...changed })))

/** Which of the two settings of a fragment a containerd takes over when its file imports it. */
async function imported(line: ContainerdLine, version: 2 | 3, names: 1 | 2): Promise<string> {
  const program = await containerdPath(line)
  const directory = mkdtempSync(join(tmpdir(), 'import-'))
  try {
    const part = join(directory, '20-ballast.toml')
    writeFileSync(part, printed({ platform: 'containerd', containerd: names, configPath: '/etc/ours/certs.d' }))
    const file = join(directory, 'config.toml')
    // What is true before shows whether the import wins.
    const layers = version === 3 ? 'io.containerd.cri.v1.images' : 'io.containerd.grpc.v1.cri".containerd'
    const table = version === 3 ? `[plugins."${layers}"]` : `[plugins."${layers}]`
    writeFileSync(file, `version = ${version}\nimports = ["${part}"]\n${table}\n  discard_unpacked_layers = true\n`)
    const dumped = await commandOutput(program, ['--config', file, 'config', 'dump'])
    const isKept = /discard_unpacked_layers = false/.test(dumped)
    const isFound = /config_path = ["']\/etc\/ours\/certs\.d["']/.test(dumped)
    return `layers ${isKept ? 'kept' : 'discarded'}, config_path ${isFound ? 'taken' : 'ignored'}`
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function fragmentIsImported(): Promise<string> {
  const both = 'layers kept, config_path taken'
  assert.equal(await imported('2', 3, 2), both, 'names of 2.x in a file of version 3')
  assert.equal(await imported('1.6', 2, 1), both, 'names of 1.x in a file of version 2')
  const trap = await imported('2', 3, 1)
  return `both lines take it as an import; names of 1.x in a file of version 3: ${trap}`
}

/** Runs the script that cloud-init would, with dash, in a namespace that has the address. */
async function scriptFindsAddress(): Promise<string> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new PartUnavailable('network namespaces need Linux and root')
  await needPrograms('ip')
  const seen: string[] = []
  for (const [address, gateway, host] of [
    ['10.98.7.5/24', '10.98.7.1', '10.98.7.5'],
    ['fd98::5/64', 'fd98::1', '[fd98::5]'],
    ['10.98.7.5/24', undefined, '10.98.7.5'],
    ['fd98::5/64', undefined, '[fd98::5]'],
  ] as const) {
    const name = `bnc-${process.pid}`
    const directory = mkdtempSync(join(tmpdir(), 'script-'))
    const ip = (...words: readonly string[]) => commandOutput('ip', words)
    await ip('netns', 'add', name)
    try {
      const inside = (...words: readonly string[]) => ip('-n', name, ...words)
      // A container network that was there first is not to be taken for the node's.
      await inside('link', 'add', 'docker0', 'type', 'bridge')
      await inside('addr', 'add', '172.17.0.1/16', 'dev', 'docker0')
      await inside('link', 'set', 'docker0', 'up')
      await inside('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1')
      await inside('link', 'set', 'eth1', 'up')
      await inside('addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []))
      await inside('link', 'set', 'eth0', 'up')
      if (gateway !== undefined) await inside('route', 'add', 'default', 'via', gateway)
      const document: unknown = parse(printed({ platform: 'cloud-init', keepLayers: false, configPath: `${directory}/certs.d` }))
      const files: unknown = Reflect.get(Object(document), 'write_files')
      const script = Array.isArray(files) ? String(Reflect.get(Object(files[0]), 'content')) : ''
      const path = join(directory, 'script')
      writeFileSync(path, script, { mode: 0o755 })
      const syntax = await runCommand('sh', ['-n', path])
      assert.equal(syntax.code, 0, syntax.stderr)
      await commandOutput('ip', ['netns', 'exec', name, path])
      const written = readFileSync(join(directory, 'certs.d/_default/hosts.toml'), 'utf8')
      assert.equal(written, `[host.'http://${host}:30020']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'\n`)
      seen.push(gateway === undefined ? `${host} without a default route` : host)
    } finally {
      await ip('netns', 'del', name)
      rmSync(directory, { recursive: true, force: true })
    }
  }
  return `${dirname('/bin/sh')}/sh found ${seen.join(', ')}`
}

export const nodeFileChecks: readonly Check[] = [
  { name: 'mirror node-files: hosts files are read by containerd 1.6', run: () => hostsFilesAreRead('1.6') },
  { name: 'mirror node-files: hosts files are read by containerd 2', run: () => hostsFilesAreRead('2') },
  { name: 'mirror node-files: the fragment is imported', run: fragmentIsImported },
  { name: 'mirror node-files: the script of cloud-init finds the address', run: scriptFindsAddress },
]
