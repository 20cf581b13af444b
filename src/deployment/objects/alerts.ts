// The alerts that ship: ours, and those of capabilities; only for what is counted today.
import type { AlertRule, Capability } from '#coordination/capability.ts'

interface AlertGroup {
  /** A capability's name, or `core`. */
  readonly name: string
  readonly rules: readonly AlertRule[]
}

const core: readonly AlertRule[] = [
  {
    alert: 'BallastDown',
    // Not by ballast_build_info: pods of the mirror have it, too.
    expr: 'absent(leader_election_master_status{name="ballast-controller"})',
    for: '5m',
    severity: 'critical',
    summary: 'The controller of Ballast is not running, or not scraped.',
    description:
      'No controller of Ballast has reported for five minutes. Nothing is decided meanwhile; nothing breaks by it either.',
  },
  {
    alert: 'BallastNoLeader',
    // Not by the states of parts: some run on every replica, whoever leads.
    expr: 'sum by (name) (leader_election_master_status{name=~"ballast-(controller|apiserver)"}) == 0',
    for: '5m',
    severity: 'critical',
    summary: 'No replica of {{ $labels.name }} leads.',
    description:
      'Replicas run, and none of them holds Lease {{ $labels.name }}: nothing is decided. Look at /readyz and at the Lease.',
  },
  {
    alert: 'BallastPartFaults',
    expr: 'sum by (capability, part) (increase(ballast_part_faults_total[15m])) > 2',
    for: '0m',
    severity: 'warning',
    summary: 'A part of Ballast fails over and over.',
    description:
      'Part {{ $labels.part }} of {{ $labels.capability }} throws and is started again. The log says what; it is a bug, please report it.',
  },
  {
    alert: 'BallastPartQuarantined',
    expr: 'max by (capability, part) (ballast_part_state{state="quarantined"}) == 1',
    for: '0m',
    severity: 'critical',
    summary: 'A part of Ballast does nothing because of a bug of its own.',
    description:
      'Part {{ $labels.part }} of {{ $labels.capability }} failed three times in ten minutes, or in its trial. It is tried again after one to ten minutes; /readyz/{{ $labels.capability }} says when, the Event PartQuarantined says why.',
  },
  {
    alert: 'BallastPartInterrupted',
    expr: 'sum by (capability, part) (increase(ballast_part_interruptions_total[15m])) > 5',
    for: '0m',
    severity: 'warning',
    summary: 'What a server answers keeps a part of Ballast from running.',
    description:
      'Part {{ $labels.part }} of {{ $labels.capability }} is started again and again, at most every 30 seconds, until it works. The Event PartInterrupted says what was answered.',
  },
  {
    alert: 'BallastListenerFlooded',
    expr: 'sum by (listener) (increase(ballast_listener_turned_away_total[5m])) > 300',
    for: '0m',
    severity: 'warning',
    summary: 'Somebody asks more of a public listener of Ballast than it serves.',
    description:
      'Listener {{ $labels.listener }} turned away {{ $value | humanize }} connections and requests in five minutes; the log names the peers. networkPolicy.from says who may come in, ballast doctor network which addresses fit.',
  },
  {
    alert: 'BallastPermitStuck',
    expr: 'ballast_arbiter_oldest_permit_seconds > 1800',
    for: '10m',
    severity: 'warning',
    summary: 'A disruption has been under way for more than half an hour.',
    description: 'The oldest permit is {{ $value | humanizeDuration }} old: ballast permits --active names it.',
  },
  {
    alert: 'BallastFrozen',
    expr: 'max by (gate) (ballast_arbiter_frozen) == 1',
    for: '24h',
    severity: 'info',
    summary: 'Ballast has been frozen for a day.',
    description: 'Gate {{ $labels.gate }} holds every disruption of Ballast back.',
  },
  {
    alert: 'BallastConfigurationRefused',
    expr: 'increase(ballast_config_reloads_total{result="refused"}[15m]) > 0',
    for: '0m',
    severity: 'warning',
    summary: 'A changed configuration of Ballast was refused.',
    description: 'The one before it stays in force. The Event ConfigurationRefused says what is wrong.',
  },
  {
    alert: 'BallastCertificateExpiry',
    expr: 'ballast_certificate_expiry_timestamp_seconds - time() < 7 * 86400',
    for: '1h',
    severity: 'critical',
    summary: 'A certificate of the webhooks of Ballast ends within a week.',
    description: 'It should have been renewed at two thirds of its life: look at the log for why it was not.',
  },
  {
    alert: 'BallastWatchStale',
    expr: 'time() - ballast_informer_last_event_timestamp_seconds > 1800',
    for: '10m',
    severity: 'warning',
    summary: 'Ballast has not heard of a kind for half an hour.',
    description: 'The watch of {{ $labels.resource }} is silent; API servers send at least a bookmark every minute or so.',
  },
]

/** The groups of the PrometheusRule. */
export function alertGroups(capabilities: readonly Capability[]): readonly AlertGroup[] {
  return [
    { name: 'core', rules: core },
    ...capabilities.flatMap(({ name, alerts: rules }) => (rules === undefined ? [] : [{ name, rules }])),
  ]
}
