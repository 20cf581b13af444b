// What the schema of `spec.auto` cannot say: names that come twice, selectors that do not parse. Pure.
import { labelSelectorOf } from '#kube/objects/selector.ts'
import type { Problem } from '#kube/problem.ts'
import type { RebalancePolicy } from '../../api.ts'

/** What is wrong with the signals of a policy; none where it has none. */
export function autoProblems({ metadata, spec }: Pick<RebalancePolicy, 'metadata' | 'spec'>): readonly Problem[] {
  const signals = spec.auto?.signals ?? []
  return signals.flatMap(({ name, selector }, at) => {
    const where = `RebalancePolicy ${metadata.name}: spec.auto.signals[${at}]`
    const isAgain = signals.findIndex(one => one.name === name) !== at
    const parsed = labelSelectorOf(selector, `${where}.selector`)
    const expected = 'a name that no other signal of the policy has'
    return [
      ...(isAgain ? [{ code: 'signal-name-duplicate', where: `${where}.name`, found: name, expected }] : []),
      ...(parsed.ok ? [] : [parsed.problem]),
    ]
  })
}
