// Where a whole installation is lived through: the twin of the command that was unpacked, or the real control plane with kubelets that only say so.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startTinyKubelet } from '../../ballast/tiny-kubelet.ts'
import { kubectlPath } from '../../control-plane/debian.ts'
import { startControlPlane } from '../../control-plane/start.ts'
import { startProgram, until } from '../../mirror/laboratory/program.ts'
import { type CommandResult, commandOutput, runCommand } from '../../run-command.ts'
import { ownExecutable, temporaryFolder } from '../own-release.ts'

export interface LifeSite extends AsyncDisposable {
  readonly what: 'twin' | 'real'
  readonly kubeconfig: string
  /** The newest kubectl. */
  readonly kubectl: string
  /** @throws Error with what kubectl said */
  run(args: readonly string[], input?: string): Promise<string>
  tried(args: readonly string[], input?: string): Promise<CommandResult>
}

/** A node of the real control plane; the twin invents three. */
const node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1', 'kubernetes.io/os': 'linux' } },
}
const nodeStatus = {
  allocatable: { cpu: '8', memory: '16Gi', pods: '110' },
  capacity: { cpu: '8', memory: '16Gi', pods: '110' },
  conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' }],
}
const limitMs = 240_000

/** @throws PartUnavailable where a program cannot be had */
export async function openLifeSite(what: LifeSite['what']): Promise<LifeSite> {
  await using opening = new AsyncDisposableStack()
  const kubectl = await kubectlPath('newest')
  const { kubeconfig, stop } = what === 'twin' ? await openTwin() : await openPlane()
  opening.defer(stop)
  const tried = (args: readonly string[], input?: string) =>
    runCommand(kubectl, [`--kubeconfig=${kubeconfig}`, ...args], {
      timeoutMs: limitMs,
      // kubectl keeps there what an API server has: another one has had the same port.
      env: { KUBECACHEDIR: join(temporary, 'cache') },
      ...(input === undefined ? {} : { input }),
    })
  const temporary = temporaryFolder()
  const resources = opening.move()
  return {
    what,
    kubeconfig,
    kubectl,
    tried,
    async run(args, input) {
      const { code, stdout, stderr } = await tried(args, input)
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr.trim().slice(-4_000)}`)
      return stdout
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

interface Started {
  readonly kubeconfig: string
  readonly stop: () => Promise<void>
}

async function openTwin(): Promise<Started> {
  const kubeconfig = join(temporaryFolder(), 'kubeconfig')
  const twin = startProgram(await ownExecutable('amd64'), ['twin', '--nodes', '3', '--kubeconfig-out', kubeconfig])
  await until(`the twin answers: ${twin.log()}`, () => existsSync(kubeconfig), limitMs)
  return { kubeconfig, stop: async () => void (await twin.stop()) }
}

async function openPlane(): Promise<Started> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: true })
  await plane.client.want('POST', '/api/v1/nodes', node)
  await plane.client.want('PATCH', `/api/v1/nodes/${node.metadata.name}/status`, { status: nodeStatus })
  const kubelet = await startTinyKubelet(plane.client, () => node.metadata.name)
  const stop = async () => {
    await kubelet.stop().finally(() => plane.stop())
  }
  return { kubeconfig: plane.kubeconfig, stop }
}

/** Output of a program that must succeed, with the environment and folder that a way has. */
export interface Command {
  readonly words: readonly [program: string, ...before: string[]]
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

export const outputOf = ({ words: [program, ...before], folder, env }: Command, args: readonly string[]): Promise<string> =>
  commandOutput(program, [...before, ...args], { cwd: folder, env, timeoutMs: limitMs })

export const triedCommand = (
  { words: [program, ...before], folder, env }: Command,
  args: readonly string[],
): Promise<CommandResult> => runCommand(program, [...before, ...args], { cwd: folder, env, timeoutMs: limitMs })
