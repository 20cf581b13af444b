// `ballast agent --role=nfs-controller` as it is installed: driver and jobs in one process, under the rights that `ballast manifests` gives it and no others.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandLine } from '../../cli/bundled.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { agentEnvironment, ownProgram } from '../mirror/laboratory/own-program.ts'
import { type Program, until } from '../mirror/laboratory/program.ts'
import { commandOutput } from '../run-command.ts'
import type { ClaimsPlane } from './claims-site.ts'

/** Where the agents are, and their Leases. */
export const controllerNamespace = 'ballast-agent'
const account = 'ballast-nfs-controller'

export interface OurController extends AsyncDisposable {
  readonly program: Program
  /** What Prometheus would get. */
  metrics(): Promise<string>
  /** SIGKILL: it gives up no Lease. */
  kill(): Promise<void>
}

export interface Installed {
  /** @param name of the pod that it would be. Yields once its driver listens and its jobs stand for their Leases. */
  start(name: string): Promise<OurController>
}

/** Applies what is printed for the configuration, but for the pods: they are processes here. `controller`: of `capabilities.nfs`. */
export async function installController(
  { plane, nfs }: ClaimsPlane,
  controller: Readonly<Record<string, unknown>>,
  stack: AsyncDisposableStack,
): Promise<Installed> {
  const file = join(nfs.root, 'ballast.json')
  const off = { enabled: false }
  const section = { enabled: true, controller: { workingMountDir: join(nfs.root, 'work'), ...controller } }
  const configuration = { apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration' }
  writeFileSync(file, JSON.stringify({ ...configuration, capabilities: { deschedule: off, isolate: off, nfs: section } }))
  const printed = await commandOutput(process.execPath, [commandLine, 'manifests', '--config', file, '--format', 'json'])
  const { items }: { readonly items: readonly ApiObject[] } = JSON.parse(printed)
  const wanted = items.filter(({ kind }) => !['Deployment', 'DaemonSet', 'CSIDriver'].includes(kind))
  await commandOutput(await kubectlPath('newest'), [`--kubeconfig=${plane.kubeconfig}`, 'apply', '--server-side', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: wanted }),
    timeoutMs: 120_000,
  })
  const { status } = (await plane.client.want(
    'POST',
    `/api/v1/namespaces/${controllerNamespace}/serviceaccounts/${account}/token`,
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } },
  )) as { readonly status?: { readonly token?: string } }
  if (status?.token === undefined) throw new Error(`no token of ${account}`)
  const kubeconfig = stack.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), status.token)).file
  return {
    async start(name) {
      const port = await freePort()
      const program = nfs.startAtRoot(
        ['csi'],
        [
          process.execPath,
          await ownProgram(),
          'agent',
          '--role=nfs-controller',
          `--config=${file}`,
          `--kubeconfig=${kubeconfig}`,
          '--node-name=n1',
          `--metrics-bind-address=127.0.0.1:${port}`,
        ],
        { env: { ...agentEnvironment, BALLAST_POD_NAME: name, BALLAST_POD_NAMESPACE: controllerNamespace } },
      )
      const metrics = async () => await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      const end = async () => {
        await program.stop()
      }
      try {
        await until(`${name} serves its driver`, async () => {
          if (program.hasEnded()) throw new Error(`${name} ended: ${program.log()}`)
          return program.log().includes('the CSI driver is there')
        })
      } catch (cause) {
        await end()
        throw cause
      }
      return { program, metrics, kill: () => program.kill(), [Symbol.asyncDispose]: end }
    },
  }
}
