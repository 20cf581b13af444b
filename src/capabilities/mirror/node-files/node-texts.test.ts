import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { InputError } from '#kube/problem.ts'
import { type NodeWish, nodeSettings, standardTalosPart } from './node-settings.ts'
import { nodeTexts, printedTexts } from './node-texts.ts'

const wish = (changed: Partial<NodeWish>): NodeWish => ({
  platform: 'hosts',
  nodeIp: undefined,
  port: 30_020,
  mirrors: [],
  registries: [],
  resolveTags: true,
  dialTimeout: '200ms',
  configPath: undefined,
  basicAuth: undefined,
  containerd: 2,
  keepLayers: true,
  allowLoopback: false,
  talosPart: standardTalosPart,
  ...changed,
})

const printed = (changed: Partial<NodeWish>): string => printedTexts(nodeTexts(nodeSettings(wish(changed))))

function problems(changed: Partial<NodeWish>): readonly string[] {
  try {
    nodeSettings(wish(changed))
  } catch (error) {
    if (error instanceof InputError)
      return error.problems.map(({ where, found, expected, message }) => message ?? `${where}: ${found}: ${expected}`)
    throw error
  }
  return []
}

test('case 22: three lines with the literal variable', () => {
  expect(printed({})).toBe("[host.'http://${NODE_IP}:30020']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'\n")
})

const eight = [
  'docker.io',
  'ghcr.io',
  'quay.io',
  'gcr.io',
  'registry.k8s.io',
  'mcr.microsoft.com',
  'git.example.net',
  'public.ecr.aws',
]

test('case 23: eight blocks in the order asked for, each below its path', () => {
  const registries = eight.map(name => `https://${name}`)
  const blocks = eight.map(name =>
    [
      `# /etc/containerd/certs.d/${name}/hosts.toml`,
      `server = 'https://${name === 'docker.io' ? 'registry-1.docker.io' : name}'`,
      '',
      "[host.'http://192.168.1.54:29999']",
      "capabilities = ['pull', 'resolve']",
      "dial_timeout = '200ms'",
      '',
    ].join('\n'),
  )
  expect(printed({ nodeIp: '192.168.1.54', port: 29_999, registries })).toBe(blocks.join('\n'))
})

test('case 24: ignition, one file', () => {
  const text = printed({ platform: 'ignition', nodeIp: '10.0.0.7', keepLayers: false })
  expect(text).toBe(`{
  "ignition": {
    "version": "3.4.0"
  },
  "storage": {
    "files": [
      {
        "path": "/etc/containerd/certs.d/_default/hosts.toml",
        "mode": 420,
        "overwrite": true,
        "contents": {
          "source": "data:;base64,W2hvc3QuJ2h0dHA6Ly8xMC4wLjAuNzozMDAyMCddCmNhcGFiaWxpdGllcyA9IFsncHVsbCcsICdyZXNvbHZlJ10KZGlhbF90aW1lb3V0ID0gJzIwMG1zJwo="
        }
      }
    ]
  }
}
`)
})

test('case 25: a patch for one Talos node', () => {
  expect(printed({ platform: 'talos', nodeIp: '10.0.0.7' })).toBe(`machine:
  files:
    - path: /etc/cri/conf.d/20-customization.part
      op: create
      content: |
        [plugins."io.containerd.cri.v1.images"]
          discard_unpacked_layers = false
  registries:
    mirrors:
      '*':
        endpoints:
          - http://10.0.0.7:30020
`)
})

test('case 25: Talos cannot find the address', () => {
  const sentence = 'talos cannot fill in the node address: give --node-ip (one patch per node)'
  expect(problems({ platform: 'talos' })).toEqual([sentence])
  expect(problems({ platform: 'talos', nodeIp: 'auto' })).toEqual([sentence])
  expect(problems({ platform: 'ignition' })).toEqual([sentence.replace('talos', 'ignition')])
})

test('Talos: named registries by host, another part, loopback where it is asked for', () => {
  const text = printed({
    platform: 'talos',
    nodeIp: '127.0.0.1',
    allowLoopback: true,
    registries: ['https://ghcr.io', 'http://registry.test:5000'],
    talosPart: '/var/etc/cri/conf.d/20-mirror.part',
  })
  expect(parse(text)).toEqual({
    machine: {
      files: [
        {
          path: '/var/etc/cri/conf.d/20-mirror.part',
          op: 'create',
          content: '[plugins."io.containerd.cri.v1.images"]\n  discard_unpacked_layers = false\n',
        },
      ],
      registries: {
        mirrors: {
          'ghcr.io': { endpoints: ['http://127.0.0.1:30020'] },
          'registry.test:5000': { endpoints: ['http://127.0.0.1:30020'] },
        },
      },
    },
  })
})

const given = `#cloud-config
write_files:
  - path: /etc/containerd/certs.d/_default/hosts.toml
    owner: root:root
    permissions: '0644'
    content: |
      [host.'http://10.0.0.7:30020']
      capabilities = ['pull', 'resolve']
      dial_timeout = '200ms'
`

const automatic = `#cloud-config
write_files:
  - path: /usr/local/sbin/ballast-node-config
    owner: root:root
    permissions: '0755'
    content: |
      #!/bin/sh
      set -eu
      NODE_IP=$(ip -o route get 192.0.2.1 | sed -n 's/.* src \\([^ ]*\\).*/\\1/p')
      [ -n "$NODE_IP" ] || NODE_IP=$(ip -o -6 route get 2001:db8::1 | sed -n 's/.* src \\([^ ]*\\).*/\\1/p')
      own() {
        ip -o "$1" addr show up scope global | grep -Ev '^[0-9]+: *(docker|br-|cni|flannel|cali|cilium|lxc|veth|virbr|kube|nodelocaldns|vxlan|tun|tap|wg)' | sed -n 's/.* inet6* \\([^ /]*\\).*/\\1/p' | head -n 1
      }
      [ -n "$NODE_IP" ] || NODE_IP=$(own -4)
      [ -n "$NODE_IP" ] || NODE_IP=$(own -6)
      [ -n "$NODE_IP" ] || { echo "ballast-node-config: no node address found" >&2; exit 1; }
      case $NODE_IP in *:*) NODE_IP="[$NODE_IP]" ;; esac
      put() {
        mkdir -p "$(dirname "$1")"
        cat > "$1.tmp"
        chmod 0644 "$1.tmp"
        mv "$1.tmp" "$1"
      }
      put /etc/containerd/certs.d/_default/hosts.toml <<EOF
      [host.'http://\${NODE_IP}:30020']
      capabilities = ['pull', 'resolve']
      dial_timeout = '200ms'
      EOF
runcmd:
  - [/usr/local/sbin/ballast-node-config]
`

const fragment = `[plugins."io.containerd.cri.v1.images"]
  discard_unpacked_layers = false
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "/etc/containerd/certs.d"
`

test('cloud-init with an address', () => {
  expect(printed({ platform: 'cloud-init', nodeIp: '10.0.0.7', keepLayers: false })).toBe(given)
})

test('cloud-init that finds the address on the node', () => {
  expect(printed({ platform: 'cloud-init', keepLayers: false })).toBe(automatic)
  expect(printed({ platform: 'cloud-init', nodeIp: 'auto', keepLayers: false })).toBe(automatic)
})

test.each(['10.0.0.7', 'auto'])('cloud-init with the fragment, address %s', nodeIp => {
  const document: unknown = parse(printed({ platform: 'cloud-init', nodeIp }))
  const script = '/usr/local/sbin/ballast-node-config'
  const first =
    nodeIp === 'auto' ? { path: script, permissions: '0755' } : { path: '/etc/containerd/certs.d/_default/hosts.toml' }
  expect(document).toMatchObject({
    write_files: [first, { path: '/etc/containerd/conf.d/20-ballast.toml', permissions: '0644', content: fragment }],
    runcmd: [...(nodeIp === 'auto' ? [[script]] : []), ['systemctl', 'try-restart', 'containerd']],
  })
  const { warnings } = nodeTexts(nodeSettings(wish({ platform: 'cloud-init', nodeIp })))
  expect(warnings).toEqual([
    'containerd before 2.2 reads /etc/containerd/conf.d/20-ballast.toml only if config.toml has imports = ["/etc/containerd/conf.d/*.toml"]',
  ])
})

test('the fragment of each line of containerd', () => {
  expect(printed({ platform: 'containerd' })).toBe(fragment)
  expect(printed({ platform: 'containerd', containerd: 1, configPath: '/etc/other' })).toBe(`version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  discard_unpacked_layers = false
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/other"
`)
})

test('nodeadm: a script that asks the metadata service, then the NodeConfig', () => {
  const text = printed({ platform: 'nodeadm' })
  const parts = text.split('--BALLAST-NODE-CONFIG')
  expect(parts[1]).toContain('/latest/meta-data/local-ipv4')
  expect(parts[1]).toContain("[host.'http://${NODE_IP}:30020']")
  expect(parse(parts[2]?.split('\n\n')[1] ?? '')).toEqual({
    apiVersion: 'node.eks.aws/v1alpha1',
    kind: 'NodeConfig',
    spec: { containerd: { config: fragment } },
  })
  expect(printed({ platform: 'nodeadm', nodeIp: '10.0.0.7' })).not.toContain('meta-data')
})

test.each<[string, Partial<NodeWish>, string]>([
  ['IPv6 gets brackets', { nodeIp: 'fd00::7' }, "[host.'http://[fd00::7]:30020']"],
  ['IPv6 has brackets', { nodeIp: '[fd00::7]' }, "[host.'http://[fd00::7]:30020']"],
  ['the first mirror takes the place of the own', { mirrors: ['http://a:1', 'https://b:2'] }, "[host.'http://a:1']"],
  ['the other mirrors follow', { mirrors: ['http://a:1', 'https://b:2'] }, "\n\n[host.'https://b:2']"],
])('%s', (_, changed, part) => {
  expect(printed(changed)).toContain(part)
})

describe('refused', () => {
  test.each<[Partial<NodeWish>, string]>([
    [
      { nodeIp: '127.0.0.1' },
      "--node-ip: 127.0.0.1: the node's own address: on loopback only talos with --allow-loopback may be asked",
    ],
    [
      { nodeIp: '127.1.2.3' },
      "--node-ip: 127.1.2.3: the node's own address: on loopback only talos with --allow-loopback may be asked",
    ],
    [{ nodeIp: '::1' }, "--node-ip: ::1: the node's own address: on loopback only talos with --allow-loopback may be asked"],
    [
      { nodeIp: '::ffff:127.0.0.1' },
      "--node-ip: ::ffff:127.0.0.1: the node's own address: on loopback only talos with --allow-loopback may be asked",
    ],
    [{ nodeIp: '127.0.0.1', allowLoopback: true }, '--node-ip: 127.0.0.1: --allow-loopback with talos only'],
    [{ nodeIp: '0.0.0.0' }, "--node-ip: 0.0.0.0: the node's own address, not that of all interfaces"],
    [{ nodeIp: 'node1' }, '--node-ip: node1: an address such as "10.0.0.7", or auto'],
    [{ configPath: '/etc/$(id)' }, '--config-path: /etc/$(id): an absolute path such as "/etc/containerd/certs.d"'],
    [{ configPath: '/etc/../root' }, '--config-path: /etc/../root: an absolute path such as "/etc/containerd/certs.d"'],
    [
      { platform: 'talos', nodeIp: '10.0.0.7', talosPart: '/etc/x.part' },
      '--talos-part: /etc/x.part: /etc/cri/conf.d/20-customization.part, or a path below /var: Talos does not boot with another',
    ],
    [
      { platform: 'talos', nodeIp: '10.0.0.7', resolveTags: false },
      '--resolve-tags: false: true: Talos always lets mirrors resolve tags',
    ],
  ])('%j', (changed, sentence) => {
    expect(problems(changed)).toEqual([sentence])
  })

  test('all at once', () => {
    expect(problems({ nodeIp: 'x', registries: ['ghcr.io'], configPath: 'here', dialTimeout: 'soon' })).toHaveLength(4)
  })
})
