// `spec.energy` of a RebalancePolicy: as planning takes it, and what is wrong with it.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Parsed, Problem } from '#kube/problem.ts'
import { parseWindow } from '#kube/time/window.ts'
import { cpuMillicores, wholeNumber } from '#kube/values/quantity.ts'
import type { EnergyRules } from '#planning/goals/policy.ts'
import type { RebalancePolicy } from '../api.ts'

/** The rules; `undefined` where the policy says nothing of energy. Problem: a reserve that is no quantity. */
export function energyRulesOf({ metadata, spec }: RebalancePolicy): Parsed<EnergyRules | undefined> {
  const { energy } = spec
  if (energy === undefined) return { ok: true, value: undefined }
  const where = `RebalancePolicy ${metadata.name}: spec.energy.reserve`
  const { cpu, memory } = energy.reserve ?? {}
  const millicores = cpu === undefined ? undefined : cpuMillicores(cpu, `${where}.cpu`)
  if (millicores?.ok === false) return millicores
  const bytes = memory === undefined ? undefined : wholeNumber(memory, `${where}.memory`)
  if (bytes?.ok === false) return bytes
  return {
    ok: true,
    value: {
      nodes: energy.nodes.map(({ name, idleWatts, maxWatts, standbyWatts, bootSeconds, powerDown }) => ({
        ...{ name, idleWatts, maxWatts, standbyWatts, bootSeconds, powerDown },
      })),
      minReadyNodes: energy.minReadyNodes,
      reserve: {
        ...(millicores === undefined ? {} : { cpu: millicores.value }),
        ...(bytes === undefined ? {} : { memory: bytes.value }),
      },
      minOffMinutes: energy.minOffMinutes,
      ...(energy.window === undefined ? {} : { window: energy.window }),
    },
  }
}

/** What is wrong with it on this cluster: nodes that are not there or twice, watts that contradict, a window that does not parse. */
export function energyProblems({ metadata, spec }: RebalancePolicy, state: Pick<ClusterState, 'nodes'>): readonly Problem[] {
  const { energy } = spec
  if (energy === undefined) return []
  const where = `RebalancePolicy ${metadata.name}: spec.energy`
  const window = energy.window === undefined ? undefined : parseWindow(energy.window, `${where}.window`)
  const known = [...state.nodes.keys()].slice(0, 8).join(', ')
  const problems = energy.nodes.flatMap((node, at): readonly Problem[] => {
    const place = `${where}.nodes[${at}]`
    const isAgain = energy.nodes.findIndex(({ name }) => name === node.name) !== at
    return [
      ...(state.nodes.has(node.name)
        ? []
        : [{ code: 'node-missing', where: `${place}.name`, found: node.name, expected: `a node of this cluster (${known})` }]),
      ...(isAgain ? [{ code: 'energy-node-twice', where: `${place}.name`, found: node.name, expected: 'each node once' }] : []),
      ...(node.maxWatts >= node.idleWatts
        ? []
        : [
            {
              code: 'energy-watts',
              where: `${place}.maxWatts`,
              found: String(node.maxWatts),
              expected: `at least idleWatts (${node.idleWatts})`,
            },
          ]),
      ...(node.standbyWatts <= node.idleWatts
        ? []
        : [
            {
              code: 'energy-watts',
              where: `${place}.standbyWatts`,
              found: String(node.standbyWatts),
              expected: `at most idleWatts (${node.idleWatts})`,
            },
          ]),
    ]
  })
  return [...problems, ...(window?.ok === false ? [window.problem] : [])]
}
