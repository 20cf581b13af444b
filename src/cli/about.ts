// What each command does, in a sentence, in the order of the help. It is told without loading the command.

export const about = {
  up: 'starts a cluster in the twin with Ballast in it, shows it, plans, moves pods, and keeps running for you',
  twin: 'starts an API server with simulated nodes behind it, without Ballast in it',
  top: 'shows for each node what is requested and what is used, with goals and the plan',
  dashboard: 'serves the page of a live cluster or of a dump, for this machine alone and with your own rights',
  snapshot: 'writes a live cluster into one file for --cluster, without the values of Secrets',
  look: 'says who is in a cluster or a repository, who fights whom, what is wasted, what breaks first; it writes nothing',
  plan: 'prints which pods would move, what that brings, which cannot move and why',
  replay:
    'writes a plan, of today or of the past, as a file that shows it move by move: a page or a picture that plays by itself',
  simulate: 'plays a scenario on a copy of a cluster: where pods land, which wait and why, how full nodes become',
  why: 'says what was done with an object and what was not, by whom, by which rule, and what would change it',
  permits: "prints the arbiter's ledger: who disrupted what and why, how it ended, and what others did without asking",
  migrate: 'moves a cluster from an upstream to Ballast, and back',
  doctor: 'finds what is left of upstreams, what works against each other and what is missing; it only reads',
  manifests: 'prints everything to apply to a cluster: kinds, rights, configuration and processes, in this order',
  chart: 'writes the Helm chart to a folder',
  uninstall: 'takes back taints, gates, webhooks and annotations, withdraws permits, and deletes what was installed',
  version: 'says what this program is, where it came from, and what of Ballast a cluster has',
  completion: 'prints what a shell loads to complete commands, options and their words',
  controller: 'runs on a live cluster and carries out its RebalancePolicies (mode Report, the default, only proposes)',
  apiserver:
    'faces the outside: it serves APIs of capabilities behind the API server, and the page of the cluster from the replica that leads',
  gateway: 'runs in the way of requests: parts of capabilities that hold, forward or count them; all replicas do the same',
  agent: 'runs on a node: --role=mirror gets images from other nodes, --role=readiness reports what works there',
} as const
