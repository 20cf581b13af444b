// An isolation as files for Git: tolerations, the taint, the policy that carries out the rest, and the way back.
import { parse, stringify } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { tolerationPatch } from '#planning/isolation/core-workloads.ts'
import { CommandRefused } from '#process/surroundings.ts'
import type { PaperIsolation } from './isolate-preflight.ts'

export const fileFormats = ['talos', 'kubectl'] as const
export type FileFormat = (typeof fileFormats)[number]

/** How a Talos machine configuration writes a taint: `NoSchedule` alone, or the documented `value:effect`. */
export type TaintForm = 'bare' | 'value-and-effect'

interface IsolationFile {
  readonly path: string
  readonly text: string
}

/** The form of the taint in a user's machine patch; the documented one where the file has none. */
export function taintFormOf(text: string, taint: string): TaintForm {
  const patch: unknown = parse(text)
  const value = [patch].flatMap(fieldOf('machine')).flatMap(fieldOf('nodeTaints')).flatMap(fieldOf(taint))[0]
  return typeof value === 'string' && !value.includes(':') && value !== '' ? 'bare' : 'value-and-effect'
}

function fieldOf(name: string): (value: unknown) => unknown[] {
  return value => (typeof value === 'object' && value !== null && name in value ? [Reflect.get(value, name)] : [])
}

/** What Kubernetes takes as the name of a node: a name from a file goes into paths and scripts. */
const nodeName = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/
const taintKey = /^[A-Za-z0-9][-A-Za-z0-9_./]{0,316}$/

/**
 * The files, in the order in which they are to be applied. While a core workload lacks its toleration there is no file that sets the
 * taint: `missing` names those workloads. @throws CommandRefused for a name that is none
 */
export function isolationFiles(
  { survey, undo }: Pick<PaperIsolation, 'survey' | 'undo'>,
  options: { readonly format: FileFormat; readonly form: TaintForm; readonly policy: KubeObject },
): { readonly files: readonly IsolationFile[]; readonly missing: readonly string[] } {
  const { nodes, taint } = survey.rules
  const odd = nodes.find(node => !nodeName.test(node)) ?? (taintKey.test(taint) ? undefined : taint)
  if (odd !== undefined) throw new CommandRefused(`${JSON.stringify(odd)} is not a name that can be written into files`)
  const lacking = survey.core.filter(({ isTolerant }) => !isTolerant)
  // The webhook needs no patch; it gives the toleration as soon as the policy is there.
  const tolerations = lacking
    .filter(({ isRollable }) => !isRollable)
    .map(workload => stringify(tolerationPatch(workload, survey.rules)))
  const { metadata, apiVersion, kind, ...policy } = options.policy
  const policyText = stringify({ apiVersion, kind, metadata: { name: metadata.name }, spec: policy['spec'] }, { lineWidth: 0 })
  return {
    files: [
      ...(tolerations.length === 0 ? [] : [{ path: '1-tolerations.yaml', text: tolerations.join('---\n') }]),
      ...(lacking.length > 0
        ? []
        : options.format === 'talos'
          ? talosFiles(survey.rules, options.form)
          : kubectlFiles(survey.rules)),
      { path: '3-rebalance-policy.yaml', text: policyText },
      { path: 'undo.txt', text: `${undo.join('\n')}\n` },
    ],
    missing: lacking.map(({ kind: of, namespace, name }) => `${of} ${namespace}/${name}`),
  }
}

interface Rules {
  readonly nodes: readonly string[]
  readonly taint: string
}

function talosFiles({ nodes, taint }: Rules, form: TaintForm): readonly IsolationFile[] {
  return nodes.flatMap(node => [
    {
      path: `2-taint-${node}.yaml`,
      text: [
        `# Talos machine configuration patch for ${node}: talosctl -n ${node} patch machineconfig -p @2-taint-${node}.yaml`,
        stringify({
          machine: { nodeTaints: { [taint]: form === 'bare' ? 'NoSchedule' : ':NoSchedule' } },
          cluster: { allowSchedulingOnControlPlanes: false },
        }),
      ].join('\n'),
    },
    {
      path: `undo-taint-${node}.yaml`,
      text: [
        `# Takes the taint away again: talosctl -n ${node} patch machineconfig -p @undo-taint-${node}.yaml`,
        stringify({
          machine: { nodeTaints: { [taint]: { $patch: 'delete' } } },
          cluster: { allowSchedulingOnControlPlanes: true },
        }),
      ].join('\n'),
    },
  ])
}

function kubectlFiles({ nodes, taint }: Rules): readonly IsolationFile[] {
  const script = (lines: readonly string[]) => `#!/bin/sh\nset -eu\n${lines.join('\n')}\n`
  return [
    { path: '2-taint.sh', text: script(nodes.map(node => `kubectl taint nodes '${node}' '${taint}=:NoSchedule' --overwrite`)) },
    { path: 'undo-taint.sh', text: script(nodes.map(node => `kubectl taint nodes '${node}' '${taint}:NoSchedule-'`)) },
  ]
}
