// The programs that reload, each as a process of its own with the rights that its own chart gives it: upstream's Reloader, the drop-in
// `ballast reloader`, and `ballast controller` with reload alone.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuMsOf } from '../../../bench/twin-process.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { reloaderAccount, reloaderObjects } from '../../reloader-role.ts'
import { install } from '../ballast/kinds.ts'
import { commandLine, token } from '../ballast/site.ts'
import { type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { freePort } from '../control-plane/free-ports.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { reloaderPort, upstreamPath } from '../upstreams/build.ts'

export const programNames = ['Reloader', 'ballast reloader', 'ballast controller'] as const
export type ProgramName = (typeof programNames)[number]

export interface ReloadProgram extends AsyncDisposable {
  readonly name: ProgramName
  /** As the server's audit log has it. */
  readonly user: string
  readonly pid: number
  readonly log: string
  /** Processor time so far, in milliseconds. */
  cpuMs(): number
  /** What it counts as failed. */
  errors(): Promise<number>
  /** What its watches told it, by the rows of its metrics; what was never met is no row, or 0. */
  counted(): Promise<ReadonlyMap<string, number>>
  /** @throws Error with its last lines where it has ended */
  look(): void
  /** As Kubernetes ends it. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const namespace = 'reloader'

/** Applies what a chart's objects give; what is there already stays. */
export async function apply({ client }: Pick<ControlPlane, 'client'>, objects: readonly ApiObject[]): Promise<void> {
  for (const object of objects) {
    const { status, body } = await client.send('POST', apiPath(object, object.metadata.namespace), object)
    if (status !== 201 && status !== 409)
      throw new Error(`${object.kind} ${object.metadata.name}: ${status} ${JSON.stringify(body)}`)
  }
}

/** A kubeconfig of Reloader's own ServiceAccount and role. */
export async function reloaderKubeconfig(plane: ControlPlane): Promise<{ readonly file: string } & Disposable> {
  await apply(plane, reloaderObjects({ namespace, isHighlyAvailable: false }) as readonly ApiObject[])
  const { status } = (await plane.client.want(
    'POST',
    `/api/v1/namespaces/${namespace}/serviceaccounts/${reloaderAccount}/token`,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 3_600 },
    },
  )) as { readonly status?: { readonly token?: string } }
  return tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), status?.token ?? '')
}

/** What Reloader's flags have no word for: as upstream, nothing is waited for and nothing held back. */
export const upstreamTiming = { debounce: '0s', rateGuard: { enabled: false } } as const

interface ProgramSettings {
  readonly flags: readonly string[]
  readonly reload: object
  readonly process: object
}

/** Starts one of them with upstream's `flags`, and settings of ours. It may take a while until it reloads. @throws PartUnavailable */
export async function startProgram(
  name: ProgramName,
  plane: ControlPlane,
  { flags, reload: settings, process: own }: ProgramSettings,
): Promise<ReloadProgram> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-reload-'))
  await using opening = new AsyncDisposableStack()
  opening.defer(() => rmSync(directory, { recursive: true, force: true }))
  const isController = name === 'ballast controller'
  if (isController) await install(plane)
  const kubeconfig = opening.use(
    isController ? tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), await token(plane)) : await reloaderKubeconfig(plane),
  )
  const user = isController
    ? 'system:serviceaccount:ballast-system:ballast-controller'
    : `system:serviceaccount:${namespace}:${reloaderAccount}`
  const port = name === 'Reloader' ? reloaderPort : await freePort()
  const strategy = flags.find(flag => flag.startsWith('--reload-strategy='))?.split('=')[1]
  const given = isController && strategy !== undefined ? { reloadStrategy: strategy } : {}
  const reload = { enabled: true, ...upstreamTiming, ...given, ...settings }
  const config = join(directory, 'ballast.json')
  const kind = { apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration' }
  writeFileSync(config, JSON.stringify({ ...kind, process: own, capabilities: { reload } }))
  const node = ['--disable-warning=ExperimentalWarning', commandLine]
  const commands: Readonly<Record<ProgramName, () => Promise<readonly [string, readonly string[]]>>> = {
    Reloader: async () => [await upstreamPath('reloader'), flags],
    'ballast reloader': async () => [
      process.execPath,
      [...node, 'reloader', `--metrics-addr=127.0.0.1:${port}`, '--config', config, ...flags],
    ],
    'ballast controller': async () => [
      process.execPath,
      [
        ...[...node, 'controller', '--kubeconfig', kubeconfig.file, '--install-crds', 'never', '--config', config],
        ...['--health-probe-bind-address', `127.0.0.1:${port}`],
      ],
    ],
  }
  const [program, args] = await commands[name]()
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: '/usr/bin:/bin',
      KUBECONFIG: kubeconfig.file,
      POD_NAME: 'reloader-0',
      POD_NAMESPACE: namespace,
      RELOADER_NAMESPACE: namespace,
      RELOADER_DEPLOYMENT_NAME: reloaderAccount,
    },
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      lines.push(text)
      lines.splice(0, lines.length - 400)
    })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  opening.defer(isOver)
  const stop = (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => ended(child, signal)
  opening.defer(() => stop('SIGKILL'))
  const resources = opening.move()
  return {
    name,
    user,
    pid: child.pid ?? 0,
    get log() {
      return lines.join('')
    },
    cpuMs: () => cpuMsOf(child.pid ?? 0),
    errors: () => errorsAt(port),
    counted: () => countedAt(port),
    look() {
      if (child.exitCode === null && child.signalCode === null) return
      throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}: ${lines.join('').slice(-4_000)}`)
    },
    stop,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

async function ended(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill(signal)
  const force = setTimeout(() => child.kill('SIGKILL'), 60_000)
  await over
  clearTimeout(force)
}

/** Upstream's own counters of what failed; ours have another prefix where they do not stand in for it. */
async function errorsAt(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const failed =
    /^(?:ballast_reload|reloader)_(?:reload_executed_total\{success="false"\}|errors_total(?:\{[^}]*\})?) ([0-9.e+]+)$/gm
  return [...text.matchAll(failed)].reduce((sum, [, count]) => sum + Number(count), 0)
}

async function countedAt(port: number): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const rows = text.matchAll(/^(reloader_events_received_total\{[^}]*\}) ([0-9.e+]+)$/gm)
  return new Map(Array.from(rows, ([, row = '', count]) => [row, Number(count)] as const).filter(([, count]) => count > 0))
}
