// A real control plane and a twin beside it, with all controllers and neither scheduler nor nodes: pods are made and wait.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { type CommandResult, runCommand } from '../run-command.ts'
import { upstreamPath } from '../upstreams/build.ts'

export const clients = ['kubectl', 'helm'] as const
export type Client = (typeof clients)[number]

/** One of the servers, and what clients of it keep at home. */
export interface Site {
  readonly kubeconfig: string
  /** A folder of its own, home of its clients. */
  readonly home: string
  run(client: Client, args: readonly string[]): Promise<CommandResult>
}

export interface Sites extends AsyncDisposable {
  readonly serverVersion: string
  readonly real: Site
  readonly twin: Site
  /** What broke in the twin so far, one line each. */
  readonly bugs: readonly string[]
}

/** A real server takes minutes to delete large definitions. */
const commandLimitMs = 600_000

/** Without controllers nothing but the API servers runs. @throws PartUnavailable where a program cannot be had */
export async function startSites({ controllers = true }: { readonly controllers?: boolean } = {}): Promise<Sites> {
  const programs = { kubectl: await kubectlPath('newest'), helm: await upstreamPath('helm') }
  await using stack = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-other-people-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  const plane = await startControlPlane({
    scheduler: 'off',
    controllerManager: controllers,
    serviceAccounts: controllers,
  })
  stack.defer(() => plane.stop())
  const bugs: string[] = []
  const twin = stack.use(
    await startTwin({
      clock: systemClock,
      seed: 1,
      ...(controllers ? { scheduler: false, kubelet: false } : { components: false }),
      listen: { port: 0 },
      kubernetesVersion: '1.36',
      onTrouble: ({ where, error }) => bugs.push(`${where}: ${error instanceof Error ? error.stack : error}`),
    }),
  )
  const twinConfig = join(directory, 'twin.kubeconfig')
  writeFileSync(twinConfig, await twin.kubeconfig(), { mode: 0o600 })
  const site = (name: string, kubeconfig: string): Site => {
    const home = join(directory, name)
    mkdirSync(home)
    const env = { KUBECONFIG: kubeconfig, HOME: home, XDG_CACHE_HOME: join(home, 'cache'), HELM_CACHE_HOME: join(home, 'helm') }
    return {
      kubeconfig,
      home,
      run: (client, args) => runCommand(programs[client], args, { env, cwd: home, timeoutMs: commandLimitMs }),
    }
  }
  const owned = stack.move()
  return {
    serverVersion: plane.serverVersion,
    real: site('real', plane.kubeconfig),
    twin: site('twin', twinConfig),
    bugs,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
