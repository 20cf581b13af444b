// `ballast nfd-topology-updater`: upstream's topology updater with its flags, configuration file, environment and port, for DaemonSets that have it.

import type { Surroundings } from '#cli/command-line.ts'
import { defineDropIn } from '#cli/drop-ins/drop-in.ts'
import { updaterSettings } from '../flags/topology-flags.ts'
import { thisMachine } from '../publishing/worker.ts'
import { publishTopologyOnce, startTopologyUpdater } from '../topology/topology-updater.ts'
import { readIfThere, runOnNode } from './nfd-program.ts'

const programName = 'nfd-topology-updater'

export const defineNfdTopologyUpdater = defineDropIn({
  name: programName,
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -config /etc/kubernetes/node-feature-discovery/nfd-topology-updater.conf',
    '  -oneshot, -no-publish, -sleep-interval 60s, -watch-namespace "*"',
    '  -kubelet-config-uri https://NODE_ADDRESS:10250/configz, or a file://',
    '  -api-auth-token-file FILE, -pods-fingerprint true',
    '  -podresources-socket /var/lib/kubelet/pod-resources/kubelet.sock',
    '  -kubelet-state-dir /var/lib/kubelet',
    '  -kubeconfig FILE, -port 8080, -version, -v 0; the others are taken without effect',
    'Ours:',
    '  -host-root-prefix PREFIX  in front of sys and var of the host',
    '                            (/host- where there is /host-sys, else /)',
    'Environment: NODE_NAME, NODE_ADDRESS, KUBERNETES_NAMESPACE.',
    'Exit codes: 0 done or stopped, 1 failed, 2 bad flag or configuration.',
    'Example: ballast nfd-topology-updater -oneshot -no-publish',
  ],
  run,
})

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const settings = updaterSettings(words, {
    read: readIfThere,
    nodeAddress: surroundings.environment['NODE_ADDRESS'] ?? '',
    stateDirectory: prefix => thisMachine(prefix).tree.host('var/lib/kubelet'),
  })
  const { topology } = settings
  const program = {
    name: programName,
    build: 'topology_updater',
    asksServer: true,
    once: (context, signal, place) => publishTopologyOnce(context, topology, signal, place),
    start: (context, until, place) => startTopologyUpdater(context, { topology }, until, place),
    // Upstream's is well as long as it runs: what it waits for it does not get by a new start.
    waiting: () => undefined,
  } as const satisfies Parameters<typeof runOnNode>[0]
  await runOnNode(program, settings, surroundings)
}
