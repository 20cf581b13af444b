// The image as others see it: built twice, read by the tools of registries, and run by containerd with nothing that it may not have.
import { deepStrictEqual, doesNotMatch, match, ok, strictEqual } from 'node:assert'
import { chmodSync, copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { startInstalledTwin } from '../../../bench/installed-twin.ts'
import { digestOf } from '../../../scripts/image/layer.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import type { Check } from '../check.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { commandOutput } from '../run-command.ts'
import { arm64Checks } from './arm64.ts'
import { type Container, type Containerd, startContainerd } from './containerd.ts'
import { buildOwnImage, ownImage, reference } from './own-image.ts'
import { imageTool } from './tools.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
const limitMs = 60_000
/** Memory of the container: what a chart of ours asks for at most. */
const memory = 256 * 2 ** 20

export const imageChecks: readonly Check[] = [
  { name: 'image: two builds in different surroundings are the same, byte for byte', run: sameTwice },
  { name: 'image: umoci unpacks it, skopeo and oras read it and its bill of materials', run: readByOthers },
  { name: 'image: containerd runs the commands, read-only, as nobody, without capabilities', run: commandsInContainers },
  { name: 'image: containerd runs the page of a dump, its assets are compressed, nothing is written', run: pageInContainer },
  { name: 'image: containerd runs the controller, which plans for a twin and ends when told', run: controllerInContainer },
  { name: 'image: containerd runs the mirror, whose nginx serves as root without capabilities', run: mirrorInContainer },
  ...arm64Checks,
]

function digests(directory: string): Record<string, string> {
  const files = globSync('**/*', { cwd: directory, withFileTypes: true }).filter(entry => entry.isFile())
  const paths = files.map(entry => join(entry.parentPath, entry.name))
  return Object.fromEntries(paths.toSorted().map(path => [path.slice(directory.length), digestOf(readFileSync(path))]))
}

async function sameTwice(): Promise<string> {
  const first = await ownImage()
  using second = temporaryDirectory()
  const elsewhere = { TZ: 'Pacific/Kiritimati', LC_ALL: 'C', HOME: second.path }
  const cache =
    process.env['BALLAST_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? '', '.cache'), 'ballast')
  const out = join(second.path, 'image')
  mkdirSync(out)
  await buildOwnImage(out, { cwd: second.path, env: { ...elsewhere, BALLAST_CACHE: cache }, umask: '077' })
  const [one, other] = [digests(first), digests(out)]
  deepStrictEqual(other, one)
  return `${Object.keys(one).length} files`
}

interface Inspected {
  readonly Architecture: string
  readonly Layers: readonly string[]
  readonly Labels: Readonly<Record<string, string>>
}

async function readByOthers(): Promise<string> {
  const directory = await ownImage()
  const layout = join(directory, 'layout')
  const [bill] = globSync('*.cdx.json', { cwd: directory })
  const version = /^ballast-(.+)\.cdx\.json$/.exec(bill ?? '')?.[1] ?? ''
  const [umoci, skopeo, oras] = [await imageTool('umoci'), await imageTool('skopeo'), await imageTool('oras')]

  const text = await commandOutput(skopeo.path, ['--override-arch', architecture, 'inspect', `oci:${layout}:${version}`], {
    env: skopeo.environment,
  })
  const inspected: Inspected = JSON.parse(text)
  strictEqual(inspected.Architecture, architecture)
  strictEqual(inspected.Labels['org.opencontainers.image.version'], version)
  strictEqual(inspected.Layers.length, 5)

  using place = temporaryDirectory()
  // umoci wants one image under a name, not an index of several: skopeo takes ours out.
  const single = `oci:${join(place.path, 'single')}:one`
  await commandOutput(
    skopeo.path,
    ['--override-arch', architecture, '--insecure-policy', 'copy', `oci:${layout}:${version}`, single],
    { env: skopeo.environment },
  )
  const bundle = join(place.path, 'bundle')
  const rootless = process.getuid?.() === 0 ? [] : ['--rootless']
  await commandOutput(umoci.path, ['unpack', ...rootless, '--image', `${join(place.path, 'single')}:one`, bundle])
  const config: { readonly process: { readonly user: { readonly uid: number }; readonly args: readonly string[] } } = JSON.parse(
    readFileSync(join(bundle, 'config.json'), 'utf8'),
  )
  strictEqual(config.process.user.uid, 65_532)
  deepStrictEqual(config.process.args, ['/bin/node', '/app/ballast.mjs'])
  strictEqual(
    await commandOutput(join(bundle, 'rootfs', 'bin', 'node'), [join(bundle, 'rootfs', 'app', 'ballast.mjs'), '--version'], {
      env: { NODE_OPTIONS: '' },
    }),
    `${version}\n`,
  )

  const discovered = await commandOutput(oras.path, ['discover', '--oci-layout', '--format', 'json', `${layout}:${version}`])
  match(discovered, /application\/vnd\.cyclonedx\+json/)
  return `umoci, skopeo, oras: ${inspected.Layers.length} layers, bill attached`
}

async function withImage<T>(use: (containerd: Containerd) => Promise<T>): Promise<T> {
  const directory = await ownImage()
  await using containerd = await startContainerd()
  const [archive] = globSync(`*-linux-${architecture}.tar`, { cwd: directory })
  await containerd.import(join(directory, archive ?? ''))
  return await use(containerd)
}

/** A flag that each of them has, and nobody else. */
const upstreamFlags: Readonly<Record<string, RegExp>> = {
  keda: /--metrics-service-bind-address/,
  'keda-adapter': /--metrics-service-grpc-authority/,
  'keda-admission-webhooks': /--cache-miss-to-direct-client/,
  'metrics-server': /preferred-address-types/,
  descheduler: /--policy-config-file/,
}

const mountPrograms: Readonly<Record<string, readonly [words: readonly string[], said: RegExp]>> = {
  mount: [['/usr/bin/mount', '--version'], /libmount/],
  umount: [['/usr/bin/umount', '--version'], /libmount/],
  // Where mount(8) looks for it.
  'mount-nfs': [['/sbin/mount.nfs', '-V'], /nfs-utils/],
  tar: [['/usr/bin/tar', '--version'], /GNU tar/],
  cp: [['/usr/bin/cp', '--version'], /coreutils/],
  mkfifo: [['/usr/bin/mkfifo', '--version'], /coreutils/],
  stat: [['/usr/bin/stat', '--version'], /coreutils/],
  chmod: [['/usr/bin/chmod', '--version'], /coreutils/],
}

async function commandsInContainers(): Promise<string> {
  const example = join(root, 'examples', 'talos-homelab')
  return await withImage(async containerd => {
    match(await containerd.images(), new RegExp(reference))
    const run = async (name: string, ...command: string[]) => {
      const result = await containerd.run(reference, { name, command, memory, mounts: [[example, '/cluster']] })
      strictEqual(result.code, 0, `${command.join(' ')}: ${result.stderr}`)
      return result.stdout
    }
    match(await run('version', '/bin/ballast', '--version'), /^\d+\.\d+\.\d+\n$/)
    match(await run('plugin', '/bin/kubectl-ballast', '--help'), /Usage: kubectl ballast/)
    const planned: { readonly kind?: string } = JSON.parse(
      await run('plan', '/bin/ballast', 'plan', '--cluster', '/cluster', '-o', 'json'),
    )
    ok(planned)
    match(await run('manifests', '/bin/ballast', 'manifests'), /kind: Deployment/)
    match(await run('reloader', '/bin/reloader', '--help'), /auto-reload-all/)
    // By the paths that upstreams' charts name.
    for (const [program, flag] of Object.entries(upstreamFlags)) match(await run(program, `/${program}`, '--help'), flag)
    // By the paths and the search path with which the driver starts them.
    for (const [name, [words, said]] of Object.entries(mountPrograms)) match(await run(name, ...words), said)
    match(await run('up', '/bin/ballast', 'up', '--once'), /talos03/)
    const identity =
      'const s=require("fs").readFileSync("/proc/self/status","utf8");const f=n=>s.match(new RegExp("^"+n+":\\\\s+(.*)$","m"))[1];let w="writable";try{require("fs").writeFileSync("/app/x","")}catch(e){w=e.code};console.log([f("Uid").split("\\t")[0],f("CapBnd"),f("CapEff"),f("NoNewPrivs"),f("Seccomp"),w].join(" "))'
    strictEqual(await run('identity', '/bin/node', '-e', identity), '65532 0000000000000000 0000000000000000 1 2 EROFS\n')
    const heap = Number(await run('heap', '/bin/node', '-p', 'v8.getHeapStatistics().heap_size_limit'))
    ok(heap > 0.7 * memory && heap < 0.85 * memory, `a heap of ${heap} bytes at most in a container of ${memory}`)
    return 'ballast, kubectl-ballast, reloader, keda and four more by their charts’ paths, plan, manifests, up --once; uid 65532, no capabilities, seccomp, nothing writable; mount, mount.nfs, tar, cp and three more of coreutils find their libraries'
  })
}

async function pageInContainer(): Promise<string> {
  const example = join(root, 'examples', 'talos-homelab')
  return await withImage(async containerd => {
    const port = await freePort()
    const container = await containerd.start(reference, {
      name: 'page',
      command: ['/bin/ballast', 'dashboard', '--cluster', '/cluster', '--port', String(port)],
      memory,
      mounts: [[example, '/cluster']],
    })
    const url = `http://127.0.0.1:${port}/`
    await until(container, '/', () => answers(port, '/'))
    const html = await (await fetch(url)).text()
    match(html, /talos03/)
    const names = [...new Set(html.match(/assets\/[\w.-]+/g))]
    ok(names.some(name => name.endsWith('.js')) && names.some(name => name.endsWith('.css')), html.slice(0, 2_000))
    for (const name of names) {
      const asset = await fetch(new URL(name, url), { headers: { 'accept-encoding': 'br' } })
      strictEqual(asset.status, 200, name)
      strictEqual(asset.headers.get('content-encoding'), 'br', name)
      match(asset.headers.get('cache-control') ?? '', /immutable/)
      ok((await asset.text()).length > 0)
    }
    match(await (await fetch(url, { headers: { accept: 'text/plain' } })).text(), /4 nodes {2}124 pods/)
    const held = heldBy(container.pid)
    const code = await container.stop()
    ok(code === 0 || code === 143, `ended with ${code}: ${container.log()}`)
    doesNotMatch(container.log(), /does not move|EROFS|Error/)
    return `${names.length} assets, ${held}, ended with ${code}`
  })
}

/** Waits for it. @throws Error with what the container has said */
async function until(container: Container, what: string, holds: () => Promise<boolean>): Promise<void> {
  const sinceMs = systemClock.elapsed()
  while (!(await holds())) {
    if (systemClock.elapsed() - sinceMs > limitMs) throw new Error(`not within ${limitMs / 1000} s: ${what}\n${container.log()}`)
    await systemClock.after(10)
  }
}

async function controllerInContainer(): Promise<string> {
  await using twin = await startInstalledTwin()
  using place = temporaryDirectory()
  const kubeconfig = join(place.path, 'kubeconfig')
  copyFileSync(twin.kubeconfig, kubeconfig)
  for (const [path, mode] of [
    [place.path, 0o755],
    [kubeconfig, 0o644],
  ] as const)
    chmodSync(path, mode) // the container's user is not ours
  return await withImage(async containerd => {
    const port = await freePort()
    const enabled = enabledCapabilities.map(({ name }) => name).join(',')
    const flags = [
      '--kubeconfig',
      '/etc/ballast/kubeconfig',
      '--enable',
      enabled,
      '--health-probe-bind-address',
      `127.0.0.1:${port}`,
    ]
    const startedMs = systemClock.elapsed()
    const container = await containerd.start(reference, {
      name: 'controller',
      command: ['/bin/node', '/app/ballast.mjs', 'controller', ...flags],
      memory,
      mounts: [[place.path, '/etc/ballast']],
    })
    await until(container, '/livez', () => answers(port, '/livez'))
    const aliveMs = systemClock.elapsed() - startedMs
    await until(container, '/readyz', () => answers(port, '/readyz'))
    await twin.ask()
    await until(container, 'a plan', async () => (await twin.plans()).some(plan => plan.status?.phase === 'Proposed'))
    const [plan] = await twin.plans()
    strictEqual(plan?.spec.moves.length, 15)
    const status = readFileSync(`/proc/${container.pid}/status`, 'utf8')
    match(status, /^Uid:\s+65532\s/m)
    match(status, /^CapBnd:\s+0{16}$/m)
    const held = heldBy(container.pid)
    const code = await container.stop()
    ok(code === 0 || code === 143, `ended with ${code}: ${container.log()}`)
    return `alive ${aliveMs.toFixed(0)} ms after ctr started it, ${plan.spec.moves.length} moves planned, ${held}, ended with ${code}`
  })
}

/** The mirror of the containerd that runs it: its own image's layers come by nginx, from files of root. */
async function mirrorInContainer(): Promise<string> {
  return await withImage(async containerd => {
    const [port, router, metrics] = [await freePort(), await freePort(), await freePort()]
    const container = await containerd.start(reference, {
      name: 'mirror',
      command: [
        ...['/bin/node', '/app/ballast.mjs', 'spegel', 'registry', '--data-plane', 'nginx'],
        ...['--registry-addr', `127.0.0.1:${port}`, '--router-addr', `127.0.0.1:${router}`],
        ...['--metrics-addr', `127.0.0.1:${metrics}`, '--containerd-namespace', 'default'],
        ...['--containerd-sock', `/node/${basename(containerd.socket)}`, '--containerd-content-path', '/content'],
        ...[
          '--bootstrap-kind',
          'static',
          '--static-bootstrap-peers',
          '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWEqnTdgqHnkkwarSrJjeMP2ZJiADWLYADaNvUb6SQNyPF',
        ],
      ],
      memory: 192 * 2 ** 20,
      mounts: [
        [dirname(containerd.socket), '/node'],
        [containerd.contentPath, '/content'],
      ],
      isRoot: true,
      hasTemporary: true,
    })
    const what = await served(containerd, container, port).catch(async error => {
      // One that goes on keeps its name.
      await container.stop()
      throw error
    })
    const held = heldBy(container.pid)
    const code = await container.stop()
    ok(code === 0 || code === 143, `ended with ${code}: ${container.log()}`)
    return `${what}, ${held}, ended with ${code}`
  })
}

async function served({ contentPath }: Containerd, container: Container, port: number): Promise<string> {
  await until(container, '/livez', () => answers(port, '/livez'))
  const files = globSync('blobs/sha256/*', { cwd: contentPath }).map(name => join(contentPath, name))
  const largest = files.toSorted((a, b) => statSync(b).size - statSync(a).size)[0] ?? ''
  const digest = `sha256:${basename(largest)}`
  const url = `http://127.0.0.1:${port}/v2/acme/app/blobs/${digest}`
  const whole = await fetch(url)
  strictEqual(whole.headers.get('server'), 'nginx')
  if (whole.status !== 200) throw new Error(`${whole.status}: ${await whole.text()}\n${container.log()}`)
  strictEqual(digestOf(Buffer.from(await whole.arrayBuffer())), digest)
  const part = await fetch(url, { headers: { range: 'bytes=10-19' } })
  deepStrictEqual([part.status, Buffer.from(await part.arrayBuffer())], [206, readFileSync(largest).subarray(10, 20)])
  return `${statSync(largest).size} bytes and a part of them by nginx`
}

async function answers(port: number, path: string): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}${path}`)).ok
  } catch {
    return false // it does not listen yet
  }
}

/** What its control group says that it has taken, in version 1 or 2. */
function heldBy(pid: number): string {
  for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    const file =
      controllers === 'memory'
        ? join('/sys/fs/cgroup/memory', path, 'memory.usage_in_bytes')
        : controllers === ''
          ? join('/sys/fs/cgroup', path, 'memory.current')
          : ''
    try {
      if (file !== '')
        return `${(Number(readFileSync(file, 'utf8')) / 2 ** 20).toFixed(0)} MiB in its control group of ${memory / 2 ** 20}`
    } catch {
      // the other version's
    }
  }
  return 'its control group is not to be seen'
}

function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ballast-image-check-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
