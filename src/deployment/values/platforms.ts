// Where containerd keeps its socket, its content and its hosts files, by distribution: values laid under those that a user gives.
import type { Values } from '../names.ts'
import { yamlText } from '../yaml-text.ts'

interface Paths {
  readonly containerdSock?: string
  readonly containerdContentPath?: string
  readonly containerdRegistryConfigPath?: string
}

interface Platform {
  readonly paths: Paths
  /** What else a user has to know, a sentence a line. */
  readonly notes: readonly string[]
}

const content = (root: string) => `${root}/io.containerd.content.v1.content`

export const platforms: Readonly<Record<string, Platform>> = {
  kubeadm: {
    paths: {},
    notes: ['containerd needs config_path = "/etc/containerd/certs.d": ballast node-config containerd prints it'],
  },
  kind: { paths: {}, notes: ['the same as kubeadm; set config_path by containerdConfigPatches'] },
  eks: {
    paths: {},
    notes: [
      'Amazon Linux discards layers and sets a list of directories: take the NodeConfig that ballast node-config nodeadm prints, or nothing is shared',
    ],
  },
  talos: {
    paths: { containerdRegistryConfigPath: '/etc/cri/conf.d/hosts' },
    notes: [
      'layers have to be kept: ballast node-config talos prints the machine patch',
      'where machine.registries.mirrors is set as well, say capabilities.mirror.nodeConfiguration.mode=none: both write that directory',
    ],
  },
  k3s: {
    paths: {
      containerdSock: '/run/k3s/containerd/containerd.sock',
      containerdContentPath: content('/var/lib/rancher/k3s/agent/containerd'),
      containerdRegistryConfigPath: '/var/lib/rancher/k3s/agent/etc/containerd/certs.d',
    },
    notes: ['k3s writes that directory anew when it starts: its own registries.yaml wins until the agent starts again'],
  },
  rke2: {
    paths: {
      containerdSock: '/run/k3s/containerd/containerd.sock',
      containerdContentPath: content('/var/lib/rancher/rke2/agent/containerd'),
      containerdRegistryConfigPath: '/var/lib/rancher/rke2/agent/etc/containerd/certs.d',
    },
    notes: ['RKE2 writes that directory anew when it starts: its own registries.yaml wins until the agent starts again'],
  },
  k0s: {
    paths: {
      containerdSock: '/run/k0s/containerd.sock',
      containerdContentPath: content('/var/lib/k0s/containerd'),
    },
    notes: ['containerd needs config_path: put what ballast node-config containerd prints into /etc/k0s/containerd.d/'],
  },
}

/** Values of a platform. @throws RangeError for a name that is none */
export function platformValues(name: string): Values {
  const platform = platforms[name]
  if (platform === undefined) throw new RangeError(`no platform ${name}`)
  return Object.keys(platform.paths).length === 0 ? {} : { capabilities: { mirror: platform.paths } }
}

/** The same as a values file of the chart. */
export function platformText(name: string): string {
  const values = platformValues(name)
  const notes = (platforms[name]?.notes ?? []).map(note => `# ${note}\n`).join('')
  return `# Paths of containerd on ${name}.\n${notes}${Object.keys(values).length === 0 ? '{}\n' : yamlText(values)}`
}
