// The words of the page in words of every day, and how a goal is set: the help page with a script and without.

export const helpWords: readonly (readonly [word: string, text: string])[] = [
  ['allocatable', 'What a node can give to pods: its size less what the system keeps. Bars end there.'],
  ['requested', 'What the pods on a node have asked for. The scheduler places pods by it; goals are mostly about it.'],
  ['used', 'What they really take, as metrics.k8s.io says. – where nobody says.'],
  ['goal', 'A bound on a node’s share, such as at most 70 percent of its CPU requested.'],
  ['plan', 'Moves that reach the goals. Proposed, then approved by you or by the policy, then carried out in waves.'],
  ['move', 'One pod leaves a node by eviction and is placed anew, where the plan has proven that it fits.'],
  ['proof', 'What a verifier, which shares no code with the planner, checked again for one move.'],
  ['permit', 'The arbiter’s answer to whoever wants to disrupt a pod: granted, waiting, denied with the rule, or merged.'],
  ['frozen', 'Nothing is disrupted until it is thawed: the cluster, a namespace, a plan or a workload.'],
  ['twin', 'A simulated cluster with the same API. What is tried there disrupts nobody.'],
]

/** A policy to begin with. */
export const policyExample = `apiVersion: ballast.dev/v1alpha1
kind: RebalancePolicy
metadata:
  name: evenly
spec:
  mode: Approve
  goals:
  - {name: lighter, nodes: [NODE], resource: cpu, stat: requests, max: 70}
  - {name: of-use, nodes: [OTHER], resource: cpu, stat: requests, min: 30}`
