// Real processes that are told to end at a moment of their start or of their life: what they are, and how each came to its end.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { writePrivately } from '../src/cli/source/private-file.ts'
import { installBallast } from '../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { commandLine } from './cli/bundled.ts'
import { heldServer } from './held-server.ts'

const namespace = 'ballast-system'
const health = ['--health-probe-bind-address', '127.0.0.1:0']
const policy = `apiVersion: descheduler/v1alpha2
kind: DeschedulerPolicy
profiles: [{name: p, pluginConfig: [{name: RemoveDuplicates}], plugins: {balance: {enabled: [RemoveDuplicates]}}}]
`

/** Processes that stay, as their pods begin them. `KUBECONFIG` says where the cluster is; `FOLDER` is a folder of the test's own. */
export const stayingProcesses: Readonly<Record<string, readonly string[]>> = {
  controller: ['controller', '--webhook-host', '127.0.0.1', '--webhook-port', '0', ...health],
  apiserver: ['apiserver', ...health, '--api-port', '0', '--no-dashboard'],
  gateway: ['gateway', ...health],
  'gateway without a port': ['gateway'],
  'agent of readiness': ['agent', '--role=readiness', '--node-name', 'n1', ...health],
  reloader: ['reloader', '--metrics-addr=127.0.0.1:0'],
  'reloader with HA': ['reloader', '--metrics-addr=127.0.0.1:0', '--enable-ha'],
  descheduler: [
    'descheduler',
    '--policy-config-file=FOLDER/policy.yaml',
    '--descheduling-interval=10s',
    '--secure-port=0',
    '--kubeconfig=FOLDER/kubeconfig',
  ],
  dashboard: ['dashboard', '--port', '0'],
}

export interface Told {
  readonly process: string
  /** The request at which it is told, counted from 1; `loading`: at once. */
  readonly at: number | 'loading'
  /** That request and all after it have no answer. */
  readonly isHeld: boolean
  readonly signals: readonly NodeJS.Signals[]
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** It had ended before it was told: it does not ask so often. */
  readonly isEarly: boolean
  /** From the first signal to the end. */
  readonly tookMs: number
  readonly words: string
}

interface Stage extends AsyncDisposable {
  run(told: Told): Promise<Ended>
}

/** A cluster with Ballast in it, on which processes are begun one after the other. */
export async function endingStage(): Promise<Stage> {
  await using opening = new AsyncDisposableStack()
  const twin = opening.use(await startTwin({ clock: systemClock, seed: 1, objects: [], listen: { port: 0 } }))
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' })
  opening.defer(() => admin.close())
  await installBallast(admin, { capabilities: enabledCapabilities, namespace, signal: new AbortController().signal })
  const folder = mkdtempSync(join(tmpdir(), 'ballast-ends-'))
  opening.defer(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'policy.yaml'), policy)
  const kubeconfig = await twin.kubeconfig()
  const resources = opening.move()
  return {
    run: async ({ process: name, at, isHeld, signals }) => {
      await using server = await heldServer(kubeconfig)
      const file = join(folder, 'kubeconfig')
      writePrivately(file, server.kubeconfig)
      const words: string[] = []
      const args = (stayingProcesses[name] ?? []).map(word => word.replace('FOLDER', folder))
      // Whatever a first request loads is under way when the moment is there: it is known before the process is begun.
      const count = at === 'loading' ? 0 : at
      const moment = isHeld && count > 0 ? server.holdFrom(count) : server.reached(count)
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', commandLine, ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          HOME: folder,
          KUBECONFIG: file,
          POD_NAME: 'p',
          POD_NAMESPACE: namespace,
          RELOADER_NAMESPACE: namespace,
        },
      })
      child.stderr.setEncoding('utf8').on('data', (text: string) => words.push(text))
      let isOver = false
      const ended = new Promise<Pick<Ended, 'code' | 'signal'>>(resolve => {
        child.once('exit', (code, signal) => {
          isOver = true
          resolve({ code, signal })
        })
      })
      // It never asks so often, or asks again only after a while: it is told all the same.
      await Promise.race([moment, ended, systemClock.after(quietMs)])
      const isEarly = isOver
      const toldMs = systemClock.elapsed()
      for (const signal of signals) child.kill(signal)
      const end = await ended
      return { ...end, isEarly, tookMs: systemClock.elapsed() - toldMs, words: words.join('').slice(-2_000) }
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** A process that has asked for nothing more for so long has started. */
const quietMs = 10_000
