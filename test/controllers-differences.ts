// Where the twin's controllers are allowed to differ from the recorded ones, and why.

export interface AcceptedDifference {
  readonly scenarios: readonly string[]
  readonly pattern: RegExp
  readonly reason: string
}

export const acceptedDifferences: readonly AcceptedDifference[] = [
  {
    scenarios: ['device-nothing-there'],
    pattern: /event only (recorded|of the twin): Warning FailedResourceClaimCreation/,
    reason: 'how often a template that is not there is looked for within seconds depends on back-off',
  },
  {
    scenarios: ['deployment-in-quota'],
    pattern: /event only (recorded|of the twin): Warning FailedCreate ReplicaSet/,
    reason: 'how often a refused creation is tried within a second depends on how fast the server answers',
  },
  {
    scenarios: ['rollout-back'],
    pattern:
      /^second image, Deployment web\.status\.conditions\[1\]\.(reason|message): recorded "(NewReplicaSetCreated|Created new)/,
    reason:
      'whether the first look after a new set counts as progress depends on which write the controller sees first; it was recorded both ways',
  },
  {
    scenarios: ['rollout-scaled'],
    pattern: /terminatingReplicas|<random>(\[\d\])?\.times|event only (recorded|of the twin)/,
    reason: 'the set that shrinks and grows again at once may have deleted a pod in between, or not',
  },
  {
    scenarios: ['cron-forbids'],
    pattern: /JobAlreadyActive|SawCompletedJob/,
    reason: 'with a history of 0 the job is gone before or after its end is told of',
  },
  {
    scenarios: ['endpoints-of-ports'],
    pattern: /Endpoints web\.subsets\.ports\[\d\]/,
    reason: "the order of an Endpoints' ports is that of a hash of Go's memory image of them",
  },
  {
    scenarios: ['volume-waits-for-pod'],
    pattern: /selected-node: recorded nothing, twin "main"/,
    reason: "the twin's scheduler names the node also for volumes that exist, and its binder chooses the volume",
  },
  {
    scenarios: ['scale-by-two'],
    pattern: /controlled by multiple HPAs/,
    reason: 'the autoscalers are named in the order of a Go map',
  },
]
