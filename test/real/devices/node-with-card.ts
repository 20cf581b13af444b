// A node of real kubelets whose card is made up: sysfs below an overlay, device nodes of a driver that this kernel has.

import { strictEqual } from 'node:assert'
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { commandLine } from '../../cli/bundled.ts'
import { writeTree } from '../features/tree-files.ts'
import { reference } from '../image/own-image.ts'
import type { KubeletCluster } from '../kubelet/cluster.ts'
import type { KubeletNode } from '../kubelet/kubelet-node.ts'
import { commandOutput } from '../run-command.ts'
import { intelCard } from './device-trees.ts'

/** Where agents are. */
export const agents = 'ballast-agent'
/** Who may open the card, as on most machines a group called render. */
export const cardGroup = 109
/** `/dev/fuse` under other names: a container may open it by its device rule alone. */
const fuse = '10 229'
const hardware = '/opt/hardware'
const thermometer = 'sys/devices/pci0000:00/0000:00:02.0/hwmon/hwmon0/temp1_input'

/** Gives the machine a card. Its folder in this machine's `/dev` goes with it. */
export async function plugIn({ machine }: KubeletNode): Promise<Disposable> {
  const files = { ...intelCard(0, { address: '0000:00:02.0', render: 128, driver: 'i915' }), [thermometer]: '50000\n' }
  writeTree(machine.path(hardware), {
    files: Object.fromEntries(Object.entries(files).filter(([path]) => path.startsWith('sys/'))),
  })
  mkdirSync('/dev/dri', { recursive: true })
  const script = [
    'set -e',
    `for place in class devices bus; do mount -t overlay -o lowerdir=${hardware}/sys/$place:/sys/$place overlay /sys/$place; done`,
    'mount -t tmpfs tmpfs /dev/dri',
    ...['card0', 'renderD128'].map(
      name => `mknod -m 660 /dev/dri/${name} c ${fuse}; chown 0:${cardGroup} /dev/dri/${name}; chmod 660 /dev/dri/${name}`,
    ),
  ].join('\n')
  const { code, stderr } = await machine.run(['sh', '-c', script])
  strictEqual(code, 0, stderr)
  return {
    [Symbol.dispose]() {
      try {
        rmdirSync('/dev/dri')
      } catch {
        // This machine has a card of its own: the folder is not ours.
      }
    },
  }
}

/** Makes the card as warm as that, in degrees Celsius. */
export function warm({ machine }: KubeletNode, degrees: number): void {
  writeFileSync(machine.path(`${hardware}/${thermometer}`), `${degrees * 1_000}\n`)
}

/** What is installed with these settings of the capability. */
export async function manifests(wanted: readonly string[]): Promise<string> {
  const [, registry = '', repository = '', tag = ''] = /^([^/]+)\/(.+):(.+)$/.exec(reference) ?? []
  const image = Object.entries({ registry, repository, tag }).flatMap(([key, text]) => ['--set', `image.${key}=${text}`])
  const settings = wanted.flatMap(text => ['--set', `capabilities.devices.${text}`])
  const less = ['--disable', 'deschedule,isolate', '--set', 'controller.replicas=1']
  const args = ['manifests', '--enable', 'devices', ...less, ...settings, ...image]
  return await commandOutput(process.execPath, [commandLine, ...args])
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string }
    readonly status: {
      readonly phase: string
      readonly podIP?: string
      readonly conditions?: readonly { readonly message?: string }[]
      readonly containerStatuses?: readonly { readonly restartCount: number }[]
    }
  }[]
}

/** The pods of a namespace. */
export async function pods(cluster: KubeletCluster, namespace = 'default'): Promise<PodList['items']> {
  const list: PodList = JSON.parse(await kubectl(cluster, '-n', namespace, 'get', 'pods', '-o', 'json'))
  return list.items
}

/** How many of them run. */
export const running = async (cluster: KubeletCluster) =>
  (await pods(cluster)).filter(({ status }) => status.phase === 'Running').length
/** How many agents there are. */
export const agentPods = async (cluster: KubeletCluster) => (await pods(cluster, agents)).length

/** What kubectl prints. @throws AssertionError with what it said */
export async function kubectl(cluster: KubeletCluster, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(...args)
  strictEqual(code, 0, stderr)
  return stdout
}
