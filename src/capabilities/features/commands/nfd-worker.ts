// `ballast nfd-worker`: upstream's worker with its flags, configuration file, environment and port, for DaemonSets that have it.

import type { Surroundings } from '#cli/command-line.ts'
import { defineDropIn } from '#cli/drop-ins/drop-in.ts'
import { featuresConfiguration } from '../config.ts'
import { workerSettings } from '../flags/worker-flags.ts'
import { publishOnce, startWorker } from '../publishing/worker.ts'
import { readIfThere, runOnNode } from './nfd-program.ts'

export const defineNfdWorker = defineDropIn({
  name: 'nfd-worker',
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -config /etc/kubernetes/node-feature-discovery/nfd-worker.conf, -options YAML',
    '  -oneshot, -no-publish, -owner-refs pod,ds, -no-owner-refs',
    '  -feature-sources all, -label-sources all, -no-publish-features',
    '  -kubeconfig FILE, -port 8080, -version, -v 0; the others are taken without effect',
    'Ours:',
    '  -host-root-prefix PREFIX  in front of sys, etc, lib, boot, usr of the host',
    '                            (/host- where there is /host-sys, else /)',
    'Environment: NODE_NAME, POD_NAME, POD_UID, KUBERNETES_NAMESPACE.',
    'Exit codes: 0 done or stopped, 1 failed, 2 bad flag or configuration.',
    'Example: ballast nfd-worker -oneshot -no-publish',
  ],
  run,
})

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const settings = workerSettings(words, readIfThere)
  const { config } = settings
  const program = {
    name: 'nfd-worker',
    build: 'worker',
    asksServer: !config.core.noPublish,
    once: (context, signal, place) => publishOnce(context, config, signal, place),
    start: (context, until, place) => startWorker(context, featuresConfiguration.parse({ worker: config }), until, place),
  } as const satisfies Parameters<typeof runOnNode>[0]
  await runOnNode(program, settings, surroundings)
}
