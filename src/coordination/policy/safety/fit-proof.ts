// Nothing is taken from a node without proof that it fits on another.
import { workloadOf } from '../disturbance.ts'
import { deny, pass, type Rule } from '../question.ts'

export const fitProof: Rule = {
  name: 'fit-proof',
  from: 'enforce',
  ask({ intent, facts }) {
    if (intent.verb !== 'evict' && intent.verb !== 'drain') return pass
    const proof = intent.proof ?? facts.proof
    if (proof !== undefined && proof.nodes.length > 0) return pass
    return deny({ rule: 'fit-proof', workload: workloadOf(intent) })
  },
}
