// Plays a scenario that a test writes as YAML, without policies and files unless the test brings them.

import { settingsForServer } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { readScenario } from '../read-scenario.ts'
import type { SimulationReport } from '../report.ts'
import { type SimulationInput, simulate } from '../simulate.ts'

const none = { ok: false, problems: [{ code: 'none', where: 'test', found: 'none', expected: 'a test that brings policies' }] } as const

/** @throws InputError for what is wrong with the scenario */
export async function play(
  objects: readonly KubeObject[],
  text: string,
  given: Partial<Omit<SimulationInput, 'objects' | 'scenario'>> & { readonly seed?: number } = {},
): Promise<SimulationReport> {
  const read = readScenario('s.yaml', text)
  if (!read.ok) throw new InputError(read.problems)
  const server = given.server ?? read.scenario.server ?? '1.34'
  const scenario = given.seed === undefined ? read.scenario : { ...read.scenario, seed: given.seed }
  const input: SimulationInput = {
    objects,
    scenario,
    settings: settingsForServer(server),
    watts: new Map(scenario.watts.map(({ node, ...watts }) => [node, watts])),
    outside: {
      plan: async () => none,
      isolation: async () => none,
      objectsOf: () => [],
      settings: () => ({ problem: none.problems[0] }),
    },
    ...given,
    server,
  }
  return await simulate(input, new AbortController().signal)
}

/** The sentences of what is wrong with a scenario, on paper or when it is played. */
export async function faultsOf(objects: readonly KubeObject[], text: string): Promise<readonly string[]> {
  try {
    await play(objects, text)
    return []
  } catch (error) {
    if (error instanceof InputError) return error.problems.map(problemSentence)
    throw error
  }
}
