// The ways in which people install what a release has: each puts it there, upgrades what an older version put there, and takes it away.
import { match, ok } from 'node:assert'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { enabledCapabilities } from '../../../../src/process/enabled-capabilities.ts'
import { commandOutput } from '../../run-command.ts'
import { upstreamPath } from '../../upstreams/build.ts'
import { pushWords } from '../killed-pushes.ts'
import { listOf, ownExecutable, ownRelease, temporaryFolder } from '../own-release.ts'
import { dockerRegistry } from '../registries.ts'
import { runHook } from './hook.ts'
import { type Command, type LifeSite, outputOf, triedCommand } from './site.ts'

export const namespace = 'ballast-system'
/** Everything at once: what one capability leaves another might hide, and what two of them share is there. */
const capabilities = enabledCapabilities.map(({ name }) => name)
/** An installation by the command of commit 7073d22, and one object of each kind that it had. */
export const older = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'crd-upgrade', '7073d22')
const olderInstallation = join(older, 'install.yaml')

export interface Way extends AsyncDisposable {
  /** The command in the form that this way has. */
  readonly command: Command
  /** The same as a process that can be killed: npx leaves what it has started. */
  readonly process?: Command
  installOlder(): Promise<unknown>
  /** Upgrades it to this release; done twice it changes nothing. */
  install(): Promise<unknown>
  /** @returns what it said */
  remove(): Promise<string>
  /** Whether the kinds go with the rest. */
  readonly takesKinds: boolean
}

export const wayNames = ['npx', 'the executable', 'kubectl ballast', 'Helm from a registry', 'Kustomize'] as const
export type WayName = (typeof wayNames)[number]

export function openWay(name: WayName, site: LifeSite): Promise<Way> {
  if (name === 'npx')
    return npmCommand().then(command => {
      const process: Command = { ...command, words: [join(command.folder, 'node_modules', '.bin', 'ballast')] }
      return { ...byManifests(command, site), process }
    })
  if (name === 'the executable') return executable().then(command => byManifests(command, site))
  if (name === 'kubectl ballast') return plugin(site).then(command => byManifests(command, site))
  if (name === 'Kustomize') return byKustomize(site)
  return byHelm(site)
}

async function npmCommand(): Promise<Command> {
  const release = await ownRelease()
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'package.json'), '{}')
  const archive = join(release, `ballast-${listOf(release).version}-npm.tgz`)
  const env = {
    HOME: join(folder, 'home'),
    // Node 24, which the package takes where it is there.
    PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
  }
  await commandOutput('npm', ['install', archive, '--offline', '--no-audit', '--no-fund'], { cwd: folder, env })
  return { words: ['npx', '--offline', 'ballast'], folder, env }
}

async function executable(): Promise<Command> {
  const program = await ownExecutable('amd64')
  return { words: [program], folder: temporaryFolder(), env: {} }
}

async function plugin({ kubectl }: LifeSite): Promise<Command> {
  const folder = dirname(await ownExecutable('amd64'))
  return { words: [kubectl, 'ballast'], folder, env: { PATH: [folder, process.env['PATH'] ?? ''].join(delimiter) } }
}

const byServer = ['apply', '--server-side', '-f'] as const

function byManifests(command: Command, site: LifeSite): Way {
  return {
    command,
    takesKinds: false,
    installOlder: () => site.run([...byServer, olderInstallation]),
    async install() {
      const text = await outputOf(command, ['manifests', '--enable', capabilities.join(','), '--set', 'apiserver.enabled=true'])
      return await site.run([...byServer, '-'], text)
    },
    remove: () => uninstall(command, site),
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** What cannot be taken away without a restart of pods is told; nothing else may be left. */
const toldOfTemplates = /^left: pod templates of 1 workloads keep the variable or annotation of their last reload/

async function uninstall(command: Command, site: LifeSite): Promise<string> {
  const words = ['uninstall', '--kubeconfig', site.kubeconfig]
  const planned = await triedCommand(command, [...words, '--dry-run'])
  match(planned.stdout, /^would delete deployments\.apps ballast-system\/ballast-controller$/m, planned.stderr)
  const done = await triedCommand(command, [...words, '--yes'])
  const left = done.stderr.split('\n').filter(line => line.startsWith('left: '))
  ok(left.length === 1 && toldOfTemplates.test(left[0] ?? ''), `ballast uninstall ended with ${done.code}: ${done.stderr}`)
  return `${done.stdout.trim().split('\n').length} things taken back`
}

async function byKustomize(site: LifeSite): Promise<Way> {
  const release = await ownRelease()
  const folder = temporaryFolder()
  const { version } = listOf(release)
  await commandOutput('tar', ['-xzf', join(release, `ballast-${version}-kustomize.tar.gz`), '-C', folder])
  const write = (name: string, content: Readonly<Record<string, unknown>>) => {
    const path = join(folder, name)
    mkdirSync(path, { recursive: true })
    const kustomization = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', ...content }
    writeFileSync(join(path, 'kustomization.yaml'), stringify(kustomization))
    return path
  }
  const before = write('before', { resources: ['install.yaml'] })
  writeFileSync(join(before, 'install.yaml'), readFileSync(olderInstallation))
  const chosen = write('chosen', {
    resources: ['../kustomize/base'],
    components: ['apiserver', ...capabilities].map(one => `../kustomize/components/${one}`),
  })
  const command = await executable()
  return {
    command,
    takesKinds: true,
    installOlder: () => site.run(['apply', '--server-side', '-k', before]),
    install: () => site.run(['apply', '--server-side', '-k', chosen]),
    async remove() {
      const said = await uninstall(command, site)
      await site.run(['delete', '-k', chosen, '--ignore-not-found', '--timeout=120s'])
      return `${said}, the kinds by kubectl delete -k`
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** The old installation as its chart had it: the namespace is the caller's. */
function olderChart(): string {
  const chart = temporaryFolder()
  const objects = readFileSync(olderInstallation, 'utf8').split(/^---$/m)
  const isOwn = (text: string) => /^kind: Namespace$/m.test(text) && /^ {2}name: ballast-system$/m.test(text)
  mkdirSync(join(chart, 'templates'))
  writeFileSync(join(chart, 'Chart.yaml'), stringify({ apiVersion: 'v2', name: 'ballast', version: '0.0.1' }))
  writeFileSync(join(chart, 'templates', 'all.yaml'), objects.filter(text => !isOwn(text)).join('---\n'))
  return chart
}

async function byHelm(site: LifeSite): Promise<Way> {
  await using opening = new AsyncDisposableStack()
  const helm = await upstreamPath('helm')
  const release = await ownRelease()
  const registry = opening.use(await dockerRegistry())
  const pushed = { ...registry.environment, COSIGN_PASSWORD: 'ballast-test' }
  await commandOutput(process.execPath, pushWords(release, registry.host), { env: pushed })
  const home = temporaryFolder()
  const env = {
    ...registry.environment,
    HELM_CACHE_HOME: join(home, 'cache'),
    HELM_CONFIG_HOME: join(home, 'config'),
    HELM_DATA_HOME: join(home, 'data'),
    KUBECONFIG: site.kubeconfig,
  }
  const run = (...words: readonly string[]) =>
    commandOutput(helm, [...words, '--namespace', namespace], { env, timeoutMs: 300_000 })
  const switches = [...capabilities.map(name => `capabilities.${name}.enabled=true`), 'apiserver.enabled=true']
  const ours = [
    `oci://${registry.host}/team/charts/ballast`,
    ...['--version', listOf(release).version, '--plain-http'],
    ...switches.flatMap(one => ['--set', one]),
  ]
  const command = await executable()
  const resources = opening.move()
  return {
    command,
    takesKinds: false,
    installOlder: () => run('install', 'ballast', olderChart(), '--create-namespace'),
    install: () => run('upgrade', '--install', 'ballast', ...ours),
    async remove() {
      const over = new AbortController()
      const [removed, hook] = await Promise.allSettled([
        run('uninstall', 'ballast', '--wait', '--timeout', '280s').finally(() => over.abort()),
        runHook(command, site, over.signal),
      ])
      const said = hook.status === 'fulfilled' ? hook.value.said : String(hook.reason)
      if (removed.status === 'rejected') throw new Error(`helm uninstall, with its hook: ${said}`, { cause: removed.reason })
      ok(hook.status === 'fulfilled' && hook.value.code === 0, said)
      await site.run(['delete', 'namespace', namespace, '--timeout=120s'])
      return 'by helm uninstall with its hook'
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
