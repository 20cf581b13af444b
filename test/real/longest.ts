// Checks of a minute and more, the longest first. They begin, so that the end of a run is not one long check alone, and they come first
// where checks are dealt out by turns, so that every turn has some of each length.

/** By their time on two cores. */
const longChecks = [
  'independent controllers: KEDA works on the twin as on the real server',
  'independent controllers: Argo CD works on the twin as on the real server',
  'independent controllers: cert-manager works on the twin as on the real server',
  'independent tests: those of sigs.k8s.io/controller-runtime pass on the twin as on the real server',
  'reload: S1 to S14 beside Reloader',
  'ballast controller on the real control plane: among others',
  'descheduler, program beside program on a real control plane: RemoveDuplicates',
  'nfs: a kubelet and the node part end and come again below volumes',
  'browser: 5,000 nodes and 150,000 pods',
  'image: two builds in different surroundings are the same, byte for byte',
  'browser: rebalancing of 5,000 nodes',
  'ballast controller on the real control plane: its webhook killed between an eviction and the pod that follows, one replica',
  'ballast controller on the real control plane: its webhook killed between an eviction and the pod that follows, two replicas',
  'ballast controller on the real control plane: kwok keeps 50 nodes with 1000 pods',
  'ballast isolate on the real control plane: talos00, its leader killed half-way, then aborted',
  'ballast controller on the real control plane: the example put right, kube-scheduler 1.36.4, landing hold',
  'ballast controller on the real control plane: the example put right, kube-scheduler 1.34.4, landing prefer, killed half-way',
  'the real descheduler spares what ours does, by every option of DefaultEvictor',
  'APIs, webhooks, policies and conversions behind the real API server, as recorded',
  'nfs: csi-driver-nfs to Ballast node by node below volumes, and back',
  'nfs: pods write and read volumes on real kubelets',
  'real kubelets: metrics-server to ours by the documented patch, and back',
  'browser: every page in every look',
  'real kubelets: one that nobody reaches costs its node later than with metrics-server',
  'real kubelets: metrics-server and ours serve equal numbers, and verify alike',
  'migrate: Reloader to Ballast, back, and there again',
  'descheduler, program beside program on the twin: RemoveDuplicates',
  'differential: 20,000 requests to every kind',
  'bad input is answered as recorded: queries',
  'nfs: our driver killed below volumes of that kernel, and a server that stands still',
  "nfs: claims by upstream's sidecars come to what was recorded",
  'nfs: claims by our controller as it is installed',
  "nfs: claims by our jobs and upstream's driver",
  "nfs: claims by upstream's sidecars and our driver",
  'nfs: 500 claims at once',
  'nfs: how much volumes use, as they fill and are emptied',
  "nfs: upstream's sidecars and ours take over from each other",
  "nfs: upstream's driver answers as recorded",
  'nfs: our driver as a process mounts as upstream does',
  'the real front proxy with a new authority',
  "migrate: KEDA's HTTP add-on to Ballast, and back, no request failed",
  'reload: Reloader to Ballast and back, annotations',
  'ballast snapshot of the real control plane gives the same plan',
  'reload: Reloader to Ballast and back, env-vars',
  'updater does to the drop-in cluster what was recorded',
  'bad input is answered as recorded: connections',
  'bad input is answered as recorded: protobuf',
  "VPA's recommender recommends by what ours serves",
] as const

/** The same rows, those of the longest checks first. @throws Error where a name is no check's any more */
export function longestFirst<Row extends { readonly name: string }>(
  rows: readonly Row[],
  names: readonly string[] = longChecks,
): readonly Row[] {
  const long = names.map(name => {
    const row = rows.find(one => one.name === name)
    if (row === undefined) throw new Error(`no check is called ${JSON.stringify(name)}`)
    return row
  })
  return [...long, ...rows.filter(row => !long.includes(row))]
}
