// A node as its user has it: containerd 2, a kubelet and the reference network plug-ins on a machine of its own.
import { cpSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { PartUnavailable } from '../cache.ts'
import { componentPath } from '../control-plane/build.ts'
import { programPath } from '../control-plane/debian.ts'
import type { ControlPlane, ControlPlanePlace } from '../control-plane/start.ts'
import { imageTool } from '../image/tools.ts'
import { placeOf } from '../machine-programs.ts'
import type { NodeNetwork } from '../mirror/laboratory/network.ts'
import { type Program, until } from '../mirror/laboratory/program.ts'
import { type CommandResult, commandOutput } from '../run-command.ts'
import { type Machine, startMachine } from './machine.ts'

export interface KubeletNodeOptions {
  readonly network: NodeNetwork
  readonly directory: string
  readonly plane: ControlPlane
  readonly place: ControlPlanePlace
  /** Range of its pods, as `10.244.1.0/24`. */
  readonly podRange: string
  /** Image that containerd makes sandboxes of; it is pulled with its name over plain HTTP. */
  readonly sandboxImage: string
  /** Archives that are there before the kubelet is. */
  readonly archives: readonly string[]
  /** Further lines of `/etc/hosts`. */
  readonly hosts: readonly string[]
  /** As with `kubelet --register-with-taints`. */
  readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  /** Files below the node's `/etc/containerd`, by their path there. */
  readonly containerdFiles: Readonly<Record<string, string>>
  /** Where pods ask for names of the cluster; without it they have none. */
  readonly names?: string
  /** It serves with a certificate of the cluster's authority, once one has approved its request; else with one that it signs itself. */
  readonly isCertified?: boolean
  /** How often it measures volumes, as `5s`; its own minute without it. */
  readonly volumeStatsPeriod?: string | undefined
}

export interface KubeletNode extends AsyncDisposable {
  readonly machine: Machine
  readonly containerd: Program
  ctr(...args: readonly string[]): Promise<CommandResult>
  /** Ends the kubelet by SIGKILL and starts another: pods go on meanwhile. */
  restartKubelet(): Promise<void>
  /** The last lines of the kubelet that runs. */
  kubeletLog(): string
}

/** Starts it; the kubelet registers the node by itself. @throws PartUnavailable where a program cannot be had or cannot run here */
export async function startKubeletNode(options: KubeletNodeOptions): Promise<KubeletNode> {
  const programs = {
    kubelet: await componentPath('kubelet', '1.36'),
    containerd: (await imageTool('containerd')).path,
    runc: (await imageTool('runc')).path,
    plugins: dirname(await programPath('bookworm', 'containernetworking-plugins', 'usr/lib/cni/ptp')),
  }
  const stack = new AsyncDisposableStack()
  try {
    const machine = stack.use(await startMachine(options.network, options.directory))
    cpSync(programs.plugins, machine.path('/opt/cni/bin'), { recursive: true })
    if (options.names !== undefined) linkIptables(machine)
    await writeSettings(machine, options)
    const path = `${dirname(programs.containerd)}:${dirname(programs.runc)}:${plugInPrograms}:/usr/sbin:/usr/bin:/sbin:/bin`
    const containerd = machine.start([programs.containerd], { PATH: path })
    const ctrProgram = join(dirname(programs.containerd), 'ctr')
    const ctr = (...args: readonly string[]) => machine.run([ctrProgram, '-n', 'k8s.io', ...args], { PATH: path })
    const must = async (...args: readonly string[]) => {
      const { code, stderr } = await ctr(...args)
      if (code !== 0) throw new Error(`ctr ${args.join(' ')} on ${machine.name}: ${stderr}`)
    }
    await until(`containerd answers on ${machine.name}`, async () => {
      if (containerd.hasEnded()) throw new Error(`containerd ended: ${containerd.log().slice(-2_000)}`)
      return (await ctr('version')).code === 0
    })
    await must('images', 'pull', '--local', '--plain-http', options.sandboxImage)
    for (const archive of options.archives) await must('images', 'import', archive)
    const startKubelet = () =>
      machine.start([
        programs.kubelet,
        `--config=${kubeletFile}`,
        '--kubeconfig=/etc/kubernetes/kubeconfig',
        `--hostname-override=${machine.name}`,
        `--node-ip=${machine.address}`,
      ])
    let kubelet = startKubelet()
    const restartKubelet = async () => {
      // What was started enters the machine as a child: the kubelet itself is the one by its program there.
      await machine.run(['pkill', '-KILL', '-x', basename(programs.kubelet)])
      await kubelet.kill()
      kubelet = startKubelet()
    }
    return {
      machine,
      containerd,
      ctr,
      restartKubelet,
      kubeletLog: () => kubelet.log(),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (cause) {
    await stack.disposeAsync()
    throw cause
  }
}

const plugInPrograms = '/opt/bin'
const kubeletFile = '/etc/kubernetes/kubelet.json'

/** Debian's is a link by way of `/etc`, and that is the machine's own. */
function linkIptables(machine: Machine): void {
  const place = placeOf('iptables')
  if (place === undefined) throw new PartUnavailable('no iptables on this machine')
  mkdirSync(machine.path(plugInPrograms))
  symlinkSync(realpathSync(place), machine.path(join(plugInPrograms, 'iptables')))
}

async function writeSettings(machine: Machine, options: KubeletNodeOptions): Promise<void> {
  const {
    plane,
    place,
    podRange,
    sandboxImage,
    hosts,
    taints,
    containerdFiles,
    names,
    isCertified = false,
    volumeStatsPeriod,
  } = options
  const write = (path: string, text: string) => writeFileSync(machine.path(path), text, { mode: 0o600 })
  const authority = Buffer.from(plane.authority).toString('base64')
  const identity = await plane.issueClient(`CN=system:node:${machine.name}, O=system:nodes`)
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'node',
    contexts: [{ name: 'node', context: { cluster: 'real', user: 'node' } }],
    clusters: [{ name: 'real', cluster: { server: `https://${place.address}`, 'certificate-authority-data': authority } }],
    users: [
      {
        name: 'node',
        user: {
          'client-certificate-data': Buffer.from(identity.certificate).toString('base64'),
          'client-key-data': Buffer.from(identity.key).toString('base64'),
        },
      },
    ],
  }
  const configuration = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    staticPodPath: '/etc/kubernetes/manifests',
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    // This machine's disk is not the node's to judge.
    evictionHard: { 'memory.available': '1Mi' },
    imageGCHighThresholdPercent: 100,
    imageMinimumGCAge: '1h',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: '/etc/kubernetes/ca.crt' },
    },
    authorization: { mode: 'Webhook' },
    serializeImagePulls: false,
    nodeStatusUpdateFrequency: '2s',
    // Mounted ConfigMaps and Secrets are looked at again so often.
    syncFrequency: '5s',
    registerWithTaints: taints,
    serverTLSBootstrap: isCertified,
    ...(volumeStatsPeriod === undefined ? {} : { volumeStatsAggPeriod: volumeStatsPeriod }),
    ...(names === undefined ? {} : { clusterDNS: [names], clusterDomain: 'cluster.local' }),
  }
  const cni = {
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipam: { type: 'host-local', ranges: [[{ subnet: podRange }]], routes: [{ dst: '0.0.0.0/0' }], dataDir: '/run/cni' },
      },
      // Ports of the host lead to pods where the machine has iptables.
      ...(names === undefined ? [] : [{ type: 'portmap', capabilities: { portMappings: true } }]),
    ],
  }
  write('/etc/hosts', `${readFileSync(machine.path('/etc/hosts'), 'utf8')}${hosts.map(line => `${line}\n`).join('')}`)
  write('/etc/kubernetes/ca.crt', plane.authority)
  write('/etc/kubernetes/kubeconfig', JSON.stringify(kubeconfig))
  write(kubeletFile, JSON.stringify(configuration))
  write('/etc/cni/net.d/10-pods.conflist', JSON.stringify(cni))
  write(
    '/etc/containerd/config.toml',
    [
      'version = 3',
      'imports = ["/etc/containerd/conf.d/*.toml"]',
      '[plugins."io.containerd.cri.v1.images".pinned_images]',
      `  sandbox = "${sandboxImage}"`,
      '[plugins."io.containerd.cri.v1.runtime"]',
      // Where this process may not make another safer from the kernel's killer than it is itself.
      '  restrict_oom_score_adj = true',
      '',
    ].join('\n'),
  )
  for (const [path, text] of Object.entries(containerdFiles)) {
    const file = machine.path(join('/etc/containerd', path))
    await commandOutput('mkdir', ['-p', dirname(file)])
    writeFileSync(file, text)
  }
}
