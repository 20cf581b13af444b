// Images between nodes: a mirror in front of each node's containerd, in place of Spegel; and what the rest of the program knows of it.
// What it is made of (libp2p, gRPC) is loaded where it runs: other processes carry none of it.

import { Registry } from 'prom-client'
import { capability } from '#coordination/capability.ts'
import type { Need, Permission } from '#coordination/needs.ts'
import { nodeFilesPort } from '#coordination/ports/node-files.ts'
import { pullAheadPort } from '#coordination/ports/pull-ahead.ts'
import type { Clock } from '#kube/clock.ts'
import { certificateRights } from '#kube/server/certificate-rights.ts'
import { programVersion } from '#kube/version.ts'
import { agentTlsSecret, authoritySecret, mirrorService, peersConfigMap } from './agent-objects.ts'
import { type MirrorConfig, mirrorConfiguration } from './config.ts'
import { mirrorAlerts, mirrorPanels } from './monitoring.ts'
import { startMirror } from './node-part.ts'
import { settingsOf } from './settings-of.ts'

/** Reading files takes the host's time, not the cluster's. */
async function loaded(clock: Clock): Promise<typeof import('./controller.ts')> {
  using _held = clock.hold()
  return await import('./controller.ts')
}

const watched = (kind: string, group: string, resource: string): Need => ({
  group,
  version: 'v1',
  resource,
  kind,
  mode: 'full',
})

const needs: readonly Need[] = [
  watched('Node', '', 'nodes'),
  watched('Namespace', '', 'namespaces'),
  watched('Deployment', 'apps', 'deployments'),
  watched('DaemonSet', 'apps', 'daemonsets'),
]

/** A name cannot bound who may create. */
const kept = (resource: string, name: string, because: string): readonly Permission[] => [
  { groups: [''], resources: [resource], verbs: ['create'], scope: 'agent-namespace', because },
  { groups: [''], resources: [resource], names: [name], verbs: ['get', 'patch'], scope: 'agent-namespace', because },
]

const controllerPermissions: readonly Permission[] = [
  ...kept('configmaps', peersConfigMap, 'tells mirrors of each other'),
  ...kept('secrets', agentTlsSecret, 'hands out the certificates by which agents know each other'),
  ...certificateRights(authoritySecret, []).own.map(
    (right): Permission => ({
      ...right,
      verbs: right.verbs.filter(
        verb => verb === 'create' || verb === 'get' || verb === 'list' || verb === 'update' || verb === 'watch',
      ),
      scope: 'own-namespace',
      because: 'keeps the authority of those certificates',
    }),
  ),
]

/** Only who finds the others by the API asks it anything. */
const mirrorPermissions = ({ bootstrapKind }: MirrorConfig): readonly Permission[] =>
  bootstrapKind === 'kubernetes'
    ? [
        {
          groups: ['discovery.k8s.io'],
          resources: ['endpointslices'],
          verbs: ['get', 'list'],
          scope: 'agent-namespace',
          because: 'finds the other mirrors by their Service',
        },
      ]
    : []

export const mirror = capability({
  name: 'mirror',
  document: 'mirror.md',
  config: mirrorConfiguration,
  kinds: [],
  replaces: [{ upstream: 'spegel', leases: [] }],
  disrupts: [],
  upstreams: async () => [(await import('./swap/spegel.ts')).spegel],
  alerts: mirrorAlerts,
  panels: mirrorPanels,
  findings: async () => (await import('./doctor/mirror-checks.ts')).mirrorFindings,
  installs: async () => (await import('./deploy/installs.ts')).installs,
  commands: [
    {
      name: 'node-config',
      usage: '',
      about: "prints, writes or compares the files that make a node's containerd ask the mirror",
      load: async () => (await import('./commands/node-config.ts')).defineNodeConfig,
    },
    {
      name: 'spegel',
      usage: '[options]',
      about: "runs in Spegel's place, with its subcommands, flags and environment. A program called `spegel` runs it too",
      inPlaceOf: { programs: ['spegel'] },
      load: async () => (await import('./commands/spegel.ts')).defineSpegel,
    },
  ],
  agentRole: { role: 'mirror', load: async () => (await import('./commands/agent-role.ts')).agentRole },
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs,
      permissions: controllerPermissions,
      listeners: [],
      offers: [pullAheadPort, nodeFilesPort],
      takes: [],
      async start(context, config, signal) {
        const { startMirrorController } = await loaded(context.clock)
        return startMirrorController(context, config, signal)
      },
    },
    {
      process: 'node',
      role: 'mirror',
      presence: 'always',
      trust: 'agent-mirror',
      needs: [],
      permissions: mirrorPermissions,
      host: {
        mounts: [
          {
            path: '/run/containerd',
            access: 'read',
            propagation: 'HostToContainer',
            because: "containerd's socket, also that of a containerd that was started anew",
          },
          {
            path: '/var/lib/containerd/io.containerd.content.v1.content',
            access: 'read',
            propagation: 'HostToContainer',
            because: 'content is sent as it lies there',
          },
          { path: '/var/lib/ballast/mirror', access: 'write', because: 'keeps who it is among the mirrors' },
        ],
        user: 'root',
        linuxCapabilities: [],
        network: 'host',
      },
      listeners: [
        { kind: 'port', name: 'registry', port: 29_999, protocol: 'TCP', exposure: 'host' },
        { kind: 'port', name: 'registry-of-user-data', port: 30_020, protocol: 'TCP', exposure: 'host' },
        { kind: 'port', name: 'router', port: 29_995, protocol: 'TCP', exposure: 'host' },
        { kind: 'port', name: 'peers', port: 29_996, protocol: 'TCP', exposure: 'host' },
        { kind: 'port', name: 'metrics', port: 29_997, protocol: 'TCP', exposure: 'host' },
      ],
      offers: [],
      takes: [],
      // `ballast agent` says the node's address and paths besides, by flags.
      start({ clock, random, log, metrics, api, identity }, config) {
        return startMirror({
          settings: settingsOf(config),
          version: programVersion,
          clock,
          random,
          log,
          metrics: metrics ?? new Registry(),
          ...(api === undefined ? {} : { service: { api, namespace: identity.namespace, name: mirrorService } }),
        })
      },
    },
  ],
  rightsFollow: { settings: [{ is: 'bootstrapKind', value: 'kubernetes', with: { bootstrapKind: 'kubernetes' } }] },
  leaves: [
    { kind: 'object', apiVersion: 'v1', of: 'Secret', name: authoritySecret, namespace: 'own' },
    { kind: 'host-file', path: '/etc/containerd/certs.d', node: 'every' },
    { kind: 'host-file', path: '/var/lib/ballast/mirror', node: 'every' },
  ],
})
