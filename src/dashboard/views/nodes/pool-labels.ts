// What a pool of nodes is called where clouds and autoscalers say it.

/** In the order in which they are asked. */
export const poolLabels = [
  'karpenter.sh/nodepool',
  'eks.amazonaws.com/nodegroup',
  'cloud.google.com/gke-nodepool',
  'kubernetes.azure.com/agentpool',
  'node.kubernetes.io/instance-type',
] as const
