// For each alert that ships, series with which it fires and series with which it stays quiet, as promtool's tests of rules have them: a value a
// minute from minute 0 on.

export interface AlertCase {
  readonly alert: string
  /** Series with which it fires at `at`, with these labels beside its severity. */
  readonly fires: {
    readonly series: Readonly<Record<string, string>>
    readonly at: string
    readonly labels?: Readonly<Record<string, string>>
    /** What `{{ $value … }}` in its texts is. */
    readonly value?: string
  }
  /** Series with which it does not at that time, each for a reason of its own. */
  readonly quiet: readonly { readonly why: string; readonly series: Readonly<Record<string, string>>; readonly at: string }[]
}

const leads = (name: string, pod: string) => `leader_election_master_status{name="${name}",pod="${pod}"}`
const part = (capability: string, state: string, pod = 'a') =>
  `ballast_part_state{capability="${capability}",part="${capability}",state="${state}",pod="${pod}"}`
const ofPart = (metric: string, pod = 'a') => `${metric}{capability="reload",part="reload",pod="${pod}"}`
const reloadPart = { capability: 'reload', part: 'reload' }

const ofTrigger = (pod: string) =>
  `keda_scaler_detail_errors_total{scaledObject="web",scaler="prometheusScaler",exported_namespace="shop",triggerIndex="0",pod="${pod}"}`
const aggregated = (name: string, instance: string) => `aggregator_unavailable_apiservice{name="${name}",instance="${instance}"}`
const ofMirror = (what: string) => `kube_daemonset_${what}{namespace="ballast-system",daemonset="ballast-agent-mirror"}`
const ofDevices = (what: string) => `ballast_devices_${what}{resource="gpu.intel.com/i915",pod="a",instance="10.0.0.1:1"}`

export const alertCases: readonly AlertCase[] = [
  {
    alert: 'BallastDown',
    // The mirror's pods go on, and tell of themselves.
    fires: { series: { 'ballast_build_info{pod="mirror"}': '1x20' }, at: '6m', labels: { name: 'ballast-controller' } },
    quiet: [
      { why: 'one stands by', series: { [leads('ballast-controller', 'a')]: '0x20' }, at: '6m' },
      { why: 'it is away for less', series: { [leads('ballast-controller', 'a')]: '1x8 _x2 1x20' }, at: '12m' },
    ],
  },
  {
    alert: 'BallastNoLeader',
    fires: {
      series: {
        [leads('ballast-controller', 'a')]: '0x20',
        [leads('ballast-controller', 'b')]: '0x20',
        [leads('ballast-apiserver', 'c')]: '1x20',
        // It runs on every replica, whoever leads.
        [part('autoscale-webhook', 'running')]: '1x20',
      },
      at: '6m',
      labels: { name: 'ballast-controller' },
    },
    quiet: [
      {
        why: 'one leads',
        series: { [leads('ballast-controller', 'a')]: '0x20', [leads('ballast-controller', 'b')]: '1x20' },
        at: '6m',
      },
      { why: 'the Lease goes over', series: { [leads('ballast-controller', 'a')]: '1x8 0x3 1x20' }, at: '12m' },
      { why: "it is another's Lease", series: { [leads('cert-manager', 'a')]: '0x20' }, at: '6m' },
    ],
  },
  {
    alert: 'BallastPartFaults',
    fires: { series: { [ofPart('ballast_part_faults_total')]: '0x9 1 2 3 4x20' }, at: '15m', labels: reloadPart },
    quiet: [
      { why: 'twice', series: { [ofPart('ballast_part_faults_total')]: '0x9 1 2x20' }, at: '15m' },
      { why: 'long ago', series: { [ofPart('ballast_part_faults_total')]: '0 1 2 3 4x60' }, at: '40m' },
    ],
  },
  {
    alert: 'BallastPartQuarantined',
    fires: { series: { [part('reload', 'quarantined')]: '0x4 1x20' }, at: '6m', labels: reloadPart },
    quiet: [{ why: 'it is tried again', series: { [part('reload', 'quarantined')]: '0x4 1x4 0x20' }, at: '15m' }],
  },
  {
    alert: 'BallastPartInterrupted',
    fires: { series: { [ofPart('ballast_part_interruptions_total')]: '0x4 1+1x30' }, at: '15m', labels: reloadPart },
    quiet: [{ why: 'now and then', series: { [ofPart('ballast_part_interruptions_total')]: '0x4 1x4 2x4 3x20' }, at: '15m' }],
  },
  {
    alert: 'BallastListenerFlooded',
    fires: {
      series: { 'ballast_listener_turned_away_total{listener="page",pod="a"}': '0+100x20' },
      at: '10m',
      labels: { listener: 'page' },
      value: '500',
    },
    quiet: [
      { why: 'a few', series: { 'ballast_listener_turned_away_total{listener="page",pod="a"}': '0+50x20' }, at: '10m' },
      {
        why: 'it is over',
        series: { 'ballast_listener_turned_away_total{listener="page",pod="a"}': '0+100x5 500x30' },
        at: '20m',
      },
    ],
  },
  {
    alert: 'BallastPermitStuck',
    fires: {
      series: { 'ballast_arbiter_oldest_permit_seconds{pod="a"}': '0+60x60' },
      at: '45m',
      labels: { pod: 'a' },
      value: '45m 0s',
    },
    quiet: [
      { why: 'not yet for ten minutes', series: { 'ballast_arbiter_oldest_permit_seconds{pod="a"}': '0+60x60' }, at: '38m' },
      { why: 'the next is young', series: { 'ballast_arbiter_oldest_permit_seconds{pod="a"}': '0+60x35 0+60x20' }, at: '45m' },
    ],
  },
  {
    alert: 'BallastFrozen',
    fires: {
      series: {
        'ballast_arbiter_frozen{gate="freeze",pod="a"}': '1x1500',
        'ballast_arbiter_frozen{gate="freeze",pod="b"}': '0x1500',
      },
      at: '1445m',
      labels: { gate: 'freeze' },
    },
    quiet: [
      { why: 'thawed in between', series: { 'ballast_arbiter_frozen{gate="freeze",pod="a"}': '1x700 0 1x800' }, at: '1445m' },
    ],
  },
  {
    alert: 'BallastConfigurationRefused',
    fires: {
      series: { 'ballast_config_reloads_total{result="refused",pod="a"}': '0x9 1x20' },
      at: '12m',
      labels: { result: 'refused', pod: 'a' },
    },
    quiet: [
      { why: 'applied', series: { 'ballast_config_reloads_total{result="applied",pod="a"}': '0+1x20' }, at: '12m' },
      { why: 'long ago', series: { 'ballast_config_reloads_total{result="refused",pod="a"}': '0x9 1x40' }, at: '40m' },
    ],
  },
  {
    alert: 'BallastCertificateExpiry',
    // Six days from the beginning of promtool's time.
    fires: {
      series: { 'ballast_certificate_expiry_timestamp_seconds{name="webhooks",pod="a"}': '518400x100' },
      at: '65m',
      labels: { name: 'webhooks', pod: 'a' },
    },
    quiet: [
      {
        why: 'ten days',
        series: { 'ballast_certificate_expiry_timestamp_seconds{name="webhooks",pod="a"}': '864000x100' },
        at: '65m',
      },
      {
        why: 'renewed',
        series: { 'ballast_certificate_expiry_timestamp_seconds{name="webhooks",pod="a"}': '518400x40 2592000x80' },
        at: '80m',
      },
    ],
  },
  {
    alert: 'BallastWatchStale',
    fires: {
      series: { 'ballast_informer_last_event_timestamp_seconds{resource="pods",pod="a"}': '0x60' },
      at: '45m',
      labels: { resource: 'pods', pod: 'a' },
    },
    quiet: [
      {
        why: 'bookmarks come',
        series: { 'ballast_informer_last_event_timestamp_seconds{resource="pods",pod="a"}': '0+60x60' },
        at: '45m',
      },
      {
        why: 'silent for less',
        series: { 'ballast_informer_last_event_timestamp_seconds{resource="pods",pod="a"}': '0x60' },
        at: '35m',
      },
    ],
  },
  {
    alert: 'BallastRebalanceStuck',
    fires: {
      series: { 'ballast_rebalance_stuck{policy="homelab",pod="a"}': '0x4 1x20' },
      at: '6m',
      labels: { policy: 'homelab' },
    },
    quiet: [{ why: 'it gets nearer', series: { 'ballast_rebalance_stuck{policy="homelab",pod="a"}': '1x3 0x20' }, at: '6m' }],
  },
  {
    alert: 'BallastReloadFailed',
    fires: {
      series: { 'reloader_reload_executed_total{success="false",pod="a"}': '0x9 1x20' },
      at: '12m',
      labels: { success: 'false', pod: 'a' },
    },
    quiet: [{ why: 'they succeed', series: { 'reloader_reload_executed_total{success="true",pod="a"}': '0+1x20' }, at: '12m' }],
  },
  {
    alert: 'BallastReloadForbidden',
    fires: {
      series: { 'ballast_reload_forbidden_total{kind="Rollout",pod="a"}': '0x9 1x20' },
      at: '12m',
      labels: { kind: 'Rollout', pod: 'a' },
    },
    quiet: [{ why: 'long ago', series: { 'ballast_reload_forbidden_total{kind="Rollout",pod="a"}': '0x9 1x60' }, at: '40m' }],
  },
  {
    alert: 'BallastScalerErrors',
    fires: {
      series: { [ofTrigger('a')]: '0+1x40' },
      at: '25m',
      labels: { scaledObject: 'web', scaler: 'prometheusScaler', exported_namespace: 'shop' },
    },
    quiet: [
      { why: 'now and then', series: { [ofTrigger('a')]: '0x3 1x12 2x12 3x30' }, at: '25m' },
      { why: 'it works again', series: { [ofTrigger('a')]: '0+1x20 20x40' }, at: '40m' },
    ],
  },
  {
    alert: 'BallastExternalMetricsDown',
    fires: {
      series: {
        [aggregated('v1beta1.external.metrics.k8s.io', 'a')]: '0x30',
        [aggregated('v1beta1.external.metrics.k8s.io', 'b')]: '0x4 1x30',
      },
      at: '12m',
      labels: { name: 'v1beta1.external.metrics.k8s.io' },
    },
    quiet: [
      { why: 'it rolls out', series: { [aggregated('v1beta1.external.metrics.k8s.io', 'a')]: '0x4 1x3 0x30' }, at: '12m' },
      { why: 'it is another API', series: { [aggregated('v1.packages.example', 'a')]: '1x30' }, at: '12m' },
    ],
  },
  {
    alert: 'BallastResourceMetricsDown',
    fires: {
      series: { [aggregated('v1beta1.metrics.k8s.io', 'a')]: '0x4 1x30' },
      at: '12m',
      labels: { name: 'v1beta1.metrics.k8s.io' },
    },
    quiet: [{ why: 'it rolls out', series: { [aggregated('v1beta1.metrics.k8s.io', 'a')]: '0x4 1x3 0x30' }, at: '12m' }],
  },
  {
    alert: 'BallastKubeletSilent',
    fires: {
      series: { 'ballast_metrics_stale_seconds{node="n1",pod="a"}': '0+60x40' },
      at: '20m',
      labels: { node: 'n1' },
    },
    quiet: [
      { why: 'it is silent for less', series: { 'ballast_metrics_stale_seconds{node="n1",pod="a"}': '0+60x40' }, at: '14m' },
      { why: 'it answers again', series: { 'ballast_metrics_stale_seconds{node="n1",pod="a"}': '0+60x12 _x30' }, at: '25m' },
    ],
  },
  {
    alert: 'BallastMirrorNotReady',
    fires: {
      series: { [ofMirror('status_number_ready')]: '8x40', [ofMirror('status_desired_number_scheduled')]: '10x40' },
      at: '15m',
      labels: { namespace: 'ballast-system', daemonset: 'ballast-agent-mirror' },
      value: '80%',
    },
    quiet: [
      {
        why: 'one of ten',
        series: { [ofMirror('status_number_ready')]: '9x40', [ofMirror('status_desired_number_scheduled')]: '10x40' },
        at: '15m',
      },
      {
        why: 'no node is to have it',
        series: { [ofMirror('status_number_ready')]: '0x40', [ofMirror('status_desired_number_scheduled')]: '0x40' },
        at: '15m',
      },
    ],
  },
  {
    alert: 'BallastMirrorProblem',
    fires: {
      series: { 'ballast_mirror_problems{reason="LayersDiscarded",pod="a",instance="10.0.0.1:29997"}': '1x60' },
      at: '35m',
      labels: { reason: 'LayersDiscarded', pod: 'a', instance: '10.0.0.1:29997' },
    },
    quiet: [
      {
        why: 'containerd starts again',
        series: { 'ballast_mirror_problems{reason="ContainerdUnreachable",pod="a"}': '1x20 0x60' },
        at: '35m',
      },
    ],
  },
  {
    alert: 'BallastMirrorWrongBytes',
    fires: {
      series: { 'ballast_mirror_verify_failures_total{peer="10.0.0.2",pod="a"}': '0x9 1x20' },
      at: '12m',
      labels: { peer: '10.0.0.2' },
    },
    quiet: [
      { why: 'long ago', series: { 'ballast_mirror_verify_failures_total{peer="10.0.0.2",pod="a"}': '0x9 1x60' }, at: '40m' },
    ],
  },
  {
    alert: 'BallastNFSStale',
    fires: {
      series: {
        'ballast_nfs_unreachable_servers{pod="a",instance="10.0.0.1:1"}': '0x4 2x30',
        'ballast_nfs_unreachable_servers{pod="b",instance="10.0.0.2:1"}': '0x40',
      },
      at: '12m',
      labels: { pod: 'a', instance: '10.0.0.1:1' },
      value: '2',
    },
    quiet: [{ why: 'it starts again', series: { 'ballast_nfs_unreachable_servers{pod="a"}': '0x4 1x3 0x30' }, at: '12m' }],
  },
  {
    alert: 'BallastNFSUnmountedByForce',
    fires: {
      series: { 'ballast_nfs_unmounts_by_force_total{step="detached",pod="a"}': '0x9 1x20' },
      at: '12m',
      labels: { step: 'detached' },
    },
    quiet: [
      { why: 'long ago', series: { 'ballast_nfs_unmounts_by_force_total{step="detached",pod="a"}': '0x9 1x60' }, at: '40m' },
    ],
  },
  {
    alert: 'BallastDeviceUnhealthy',
    fires: {
      series: { [ofDevices('capacity')]: '4x40', [ofDevices('allocatable')]: '4x4 3x40' },
      at: '20m',
      labels: { resource: 'gpu.intel.com/i915', pod: 'a', instance: '10.0.0.1:1' },
      value: '1',
    },
    quiet: [
      { why: 'all are healthy', series: { [ofDevices('capacity')]: '4x40', [ofDevices('allocatable')]: '4x40' }, at: '20m' },
      { why: 'it came back', series: { [ofDevices('capacity')]: '4x40', [ofDevices('allocatable')]: '4x4 3x5 4x40' }, at: '20m' },
    ],
  },
  {
    alert: 'BallastDeviceRefused',
    fires: {
      series: { 'ballast_devices_allocate_refused_total{resource="amd.com/gpu",pod="a"}': '0x9 1x20' },
      at: '12m',
      labels: { resource: 'amd.com/gpu', pod: 'a' },
    },
    quiet: [
      {
        why: 'long ago',
        series: { 'ballast_devices_allocate_refused_total{resource="amd.com/gpu",pod="a"}': '0x9 1x60' },
        at: '40m',
      },
    ],
  },
]
