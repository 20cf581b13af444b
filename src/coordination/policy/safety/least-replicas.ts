// Who asks may want a workload to have some replicas beside the one that goes.
import { workloadOf } from '../disturbance.ts'
import { deny, pass, type Rule } from '../question.ts'

export const leastReplicas: Rule = {
  name: 'least-replicas',
  from: 'enforce',
  ask({ intent, facts: { replicas } }) {
    const { leastReplicas: least = 0 } = intent
    const workload = workloadOf(intent)
    if (workload === undefined || replicas === undefined || replicas >= least) return pass
    return deny({ rule: 'least-replicas', workload, replicas, least })
  },
}
