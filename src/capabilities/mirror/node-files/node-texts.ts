// What `node-config` prints: the same hosts files for each way in which machines are made. Pure; every text is a contract to the byte.
import { containerdFragment, fragmentPath } from './fragment.ts'
import { plainHostsText } from './hosts-wish.ts'
import type { NodeSettings } from './node-settings.ts'
import { hostsFileName } from './wanted-tree.ts'

/** One file that a platform wants; `path` is where it lies on the node, or a name for what is handed to the platform. */
export interface NodeText {
  readonly path: string
  readonly mode: number
  /** Ends with a newline. */
  readonly content: string
}

interface NodeTexts {
  readonly files: readonly NodeText[]
  /** Several files are printed below the path of each. */
  readonly isSeveral: boolean
  /** For standard error. */
  readonly warnings: readonly string[]
}

/** What is printed for a platform. */
export function nodeTexts(settings: NodeSettings): NodeTexts {
  const one = (path: string, content: string, warnings: readonly string[] = []): NodeTexts => ({
    files: [{ path, mode: 0o644, content }],
    isSeveral: false,
    warnings,
  })
  switch (settings.platform) {
    case 'hosts':
      return { files: hostsFiles(settings), isSeveral: settings.directories.length > 1, warnings: [] }
    case 'cloud-init':
      return one('cloud-init.yaml', cloudInit(settings), importWarning(settings))
    case 'talos':
      return one('talos.yaml', talos(settings), talosWarnings(settings))
    case 'ignition':
      return one('ignition.json', ignition(settings), importWarning(settings))
    case 'nodeadm':
      return one('user-data.mime', nodeadm(settings))
    case 'containerd':
      return one('20-ballast.toml', containerdFragment(settings), fragmentWarning(settings))
  }
}

/** As one text, as it is printed. */
export function printedTexts({ files, isSeveral }: NodeTexts): string {
  return files.map(({ path, content }) => (isSeveral ? `# ${path}\n${content}` : content)).join('\n')
}

/** The hosts files of a node, each with a newline at its end. */
function hostsFiles({
  directories,
  hosts,
  configPath,
}: Pick<NodeSettings, 'directories' | 'hosts' | 'configPath'>): readonly NodeText[] {
  return directories.map(directory => ({
    path: `${configPath}/${directory.name}/${hostsFileName}`,
    mode: 0o644,
    content: `${plainHostsText(directory, hosts)}\n`,
  }))
}

function importWarning({ keepLayers, containerd }: NodeSettings): readonly string[] {
  if (!keepLayers) return []
  return [
    `containerd before 2.2 reads ${fragmentPath} only if config.toml has imports = ["/etc/containerd/conf.d/*.toml"]`,
    ...fragmentWarning({ containerd }),
  ]
}

function fragmentWarning({ containerd }: Pick<NodeSettings, 'containerd'>): readonly string[] {
  if (containerd === 2) return []
  return [
    'names of containerd 1.x: a file of version 3 that imports them takes config_path over and silently leaves discard_unpacked_layers',
  ]
}

function talosWarnings({ keepLayers }: NodeSettings): readonly string[] {
  return [
    ...(keepLayers ? ['machine.files takes effect with a reboot'] : []),
    'Talos writes the hosts files itself: run the agent with capabilities.mirror.nodeConfiguration.mode: none',
  ]
}

const indented = (text: string, by: number): readonly string[] =>
  text
    .replace(/\n$/, '')
    .split('\n')
    .map(line => (line === '' ? '' : `${' '.repeat(by)}${line}`))

/** An entry of `write_files`. */
function writtenFile(path: string, permissions: string, content: string): readonly string[] {
  return [
    `  - path: ${path}`,
    '    owner: root:root',
    `    permissions: '${permissions}'`,
    '    content: |',
    ...indented(content, 6),
  ]
}

const scriptPath = '/usr/local/sbin/ballast-node-config'

function cloudInit(settings: NodeSettings): string {
  const files = settings.isAuto
    ? writtenFile(scriptPath, '0755', findingScript(settings))
    : hostsFiles(settings).flatMap(({ path, content }) => writtenFile(path, '0644', content))
  const fragment = settings.keepLayers ? writtenFile(fragmentPath, '0644', containerdFragment(settings)) : []
  const commands = [
    ...(settings.isAuto ? [`  - [${scriptPath}]`] : []),
    ...(settings.keepLayers ? ['  - [systemctl, try-restart, containerd]'] : []),
  ]
  return [
    '#cloud-config',
    'write_files:',
    ...files,
    ...fragment,
    ...(commands.length === 0 ? [] : ['runcmd:', ...commands]),
    '',
  ].join('\n')
}

/** Devices of containers, virtual machines and tunnels, by the beginning of their names: their addresses are not the node's. */
const othersDevices = 'docker|br-|cni|flannel|cali|cilium|lxc|veth|virbr|kube|nodelocaldns|vxlan|tun|tap|wg'

/**
 * A script for any POSIX shell that finds the node's address and writes the hosts files. It takes the address that a packet to the outside
 * would have; a node without a default route has no such packet, and there it takes the first address of a device of the node's own.
 */
function findingScript(settings: NodeSettings): string {
  return [
    '#!/bin/sh',
    'set -eu',
    "NODE_IP=$(ip -o route get 192.0.2.1 | sed -n 's/.* src \\([^ ]*\\).*/\\1/p')",
    '[ -n "$NODE_IP" ] || NODE_IP=$(ip -o -6 route get 2001:db8::1 | sed -n \'s/.* src \\([^ ]*\\).*/\\1/p\')',
    'own() {',
    `  ip -o "$1" addr show up scope global | grep -Ev '^[0-9]+: *(${othersDevices})' | sed -n 's/.* inet6* \\([^ /]*\\).*/\\1/p' | head -n 1`,
    '}',
    '[ -n "$NODE_IP" ] || NODE_IP=$(own -4)',
    '[ -n "$NODE_IP" ] || NODE_IP=$(own -6)',
    '[ -n "$NODE_IP" ] || { echo "ballast-node-config: no node address found" >&2; exit 1; }',
    'case $NODE_IP in *:*) NODE_IP="[$NODE_IP]" ;; esac',
    ...puttingLines(settings),
    '',
  ].join('\n')
}

function puttingLines(settings: NodeSettings): readonly string[] {
  return [
    'put() {',
    '  mkdir -p "$(dirname "$1")"',
    '  cat > "$1.tmp"',
    '  chmod 0644 "$1.tmp"',
    '  mv "$1.tmp" "$1"',
    '}',
    // Nothing in a hosts file but the address means anything to a shell: hosts, paths and durations were checked, the rest is Base64.
    ...hostsFiles(settings).flatMap(({ path, content }) => [`put ${path} <<EOF`, `${content}EOF`]),
  ]
}

function talos(settings: NodeSettings): string {
  const { keepLayers, talosPart, directories, hosts, containerd } = settings
  const layers = containerd === 2 ? 'plugins."io.containerd.cri.v1.images"' : 'plugins."io.containerd.grpc.v1.cri".containerd'
  const files = [
    '  files:',
    `    - path: ${talosPart}`,
    '      op: create',
    '      content: |',
    `        [${layers}]`,
    '          discard_unpacked_layers = false',
  ]
  const mirrors = directories.flatMap(({ name, registry }) => [
    `      ${registry === undefined ? "'*'" : name.includes(':') ? `'${name}'` : name}:`,
    '        endpoints:',
    ...hosts.map(({ url }) => `          - ${url}`),
  ])
  return ['machine:', ...(keepLayers ? files : []), '  registries:', '    mirrors:', ...mirrors, ''].join('\n')
}

function ignition(settings: NodeSettings): string {
  const texts = [
    ...hostsFiles(settings),
    ...(settings.keepLayers ? [{ path: fragmentPath, mode: 0o644, content: containerdFragment(settings) }] : []),
  ]
  const files = texts.map(({ path, mode, content }) => ({
    path,
    mode,
    overwrite: true,
    contents: { source: `data:;base64,${Buffer.from(content, 'utf8').toString('base64')}` },
  }))
  return `${JSON.stringify({ ignition: { version: '3.4.0' }, storage: { files } }, undefined, 2)}\n`
}

const boundary = 'BALLAST-NODE-CONFIG'

/** User data of EKS: a script that writes the hosts files before nodeadm starts containerd, and nodeadm's own part. */
function nodeadm(settings: NodeSettings): string {
  const address = [
    'token=$(curl -fsS -m 5 --retry 5 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" http://169.254.169.254/latest/api/token)',
    'NODE_IP=$(curl -fsS -m 5 --retry 5 -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/local-ipv4)',
    '[ -n "$NODE_IP" ] || { echo "ballast-node-config: no node address found" >&2; exit 1; }',
  ]
  const script = ['#!/bin/sh', 'set -eu', ...(settings.isAuto ? address : []), ...puttingLines(settings)]
  const nodeConfig = [
    'apiVersion: node.eks.aws/v1alpha1',
    'kind: NodeConfig',
    'spec:',
    '  containerd:',
    '    config: |',
    ...indented(containerdFragment(settings), 6),
  ]
  const isNeeded = settings.keepLayers
  return [
    'MIME-Version: 1.0',
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/x-shellscript; charset="us-ascii"',
    '',
    ...script,
    '',
    ...(isNeeded ? [`--${boundary}`, 'Content-Type: application/node.eks.aws', '', ...nodeConfig, ''] : []),
    `--${boundary}--`,
    '',
  ].join('\n')
}
