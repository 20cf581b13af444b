// `ballast http-operator`: the command of the HTTP add-on's operator with its flags, environment, probes and Lease.
import { untilAborted } from '#cli/drop-ins/drop-in.ts'
import { defineZapProgram, type Started } from '#cli/drop-ins/zap-program.ts'
import type { Leadership } from '#coordination/arbiter/leadership.ts'
import { openApi } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import { LeaseElection } from '#kube/leases/lease.ts'
import { randomUuid } from '#kube/random.ts'
import { DelegatedReviews } from '#kube/server/delegated-reviews.ts'
import { guardLives } from '#kube/server/serving/guarded-metrics.ts'
import { type OperatorSettings, parseHttpOperator } from '../flags/operator-settings.ts'
import { startGatewayOperator } from '../operator/operator-part.ts'

const help = [
  "Upstream's flags, with their defaults:",
  '  --metrics-bind-address :8080, --health-probe-bind-address :8081, --leader-elect (off), --kubeconfig FILE',
  '  --zap-{encoder json,log-level info,time-encoding rfc3339,devel}; those of klog and --profiling-bind-address have no',
  '      effect',
  '  --metrics-secure: by TLS on :8443, with tls.crt and tls.key of --metrics-cert-dir, else a certificate of its own',
  '  --metrics-auth: who reads metrics needs a token, and the right to get /metrics',
  'Environment: KEDA_HTTP_OPERATOR_NAMESPACE and KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_SERVICE (required),',
  '  KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_PORT 8091, KEDA_HTTP_OPERATOR_WATCH_NAMESPACE (empty: all),',
  '  KEDA_HTTP_OPERATOR_LEADER_ELECTION_{LEASE_DURATION,RENEW_DEADLINE,RETRY_PERIOD}.',
  'Exit codes: 0 stopped; 1 failed; 2 bad flags.',
  'Example: ballast http-operator --leader-elect',
]

/** Upstream's probes say no more than that the process runs. */
const nothingMore = () => []

type Begun = Pick<Started, 'transport' | 'clock' | 'random' | 'log' | 'name' | 'userAgent' | 'listen' | 'listenGuarded'>

/** Without an election it acts whoever else does, as upstream. */
const alone: Leadership = {
  transitions: 0,
  assert: () => undefined,
  confirm: async () => undefined,
  annotations: () => ({}),
  outlast: async () => undefined,
  annotate: async () => undefined,
}

/** Runs until `signal` is aborted. @throws Error for a port that is taken; RangeError for times of the Lease that do not fit */
export async function runHttpOperator(settings: OperatorSettings, started: Begun, signal: AbortSignal): Promise<void> {
  const { transport, clock, random, log, name, userAgent } = started
  const instance = `${name}_${randomUuid(random)}`
  const api = openApi(transport, { clock, userAgent, log })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  const { metricsAddress, metricsGuard } = settings
  if (metricsGuard === undefined) await started.listen(metricsAddress, '--metrics-bind-address', nothingMore)
  else
    await started.listenGuarded(metricsAddress, '--metrics-bind-address', {
      ...(metricsGuard.certificateDirectory === undefined ? {} : { certificateDirectory: metricsGuard.certificateDirectory }),
      ...(metricsGuard.isAsked
        ? { reviews: new DelegatedReviews({ api, accessApi: api, lives: guardLives, clock, random, signal }) }
        : {}),
    })
  await started.listen(settings.probeAddress, '--health-probe-bind-address', nothingMore)
  const { election, namespace, namespaces } = settings
  const lead = async (leadership: Leadership, term: AbortSignal) => {
    const fenced = api.under(() => leadership.assert())
    await using informers = new Informers(fenced, { clock, random, log, namespaces, signal: term })
    const identity = { name, namespace, instance }
    const leading = { effects: { api: fenced, clock, leadership } }
    const context = { leading, informers, clock, log, api: fenced, identity }
    await using _running = await startGatewayOperator(context, settings.gateway, term)
    log.info({ scaler: settings.gateway.scalerAddress }, 'the operator works')
    await untilAborted(term)
  }
  if (election === undefined) return await lead(alone, signal)
  const standing = new LeaseElection({
    ...{ api, clock, random, log, namespace, name: election.name, identity: instance },
    ...election.times,
  })
  await standing.run(leader => lead(leader, AbortSignal.any([leader.signal, signal])), signal)
}

export const defineHttpOperator = defineZapProgram({
  name: 'http-operator',
  component: 'manager',
  help,
  parse: parseHttpOperator,
  failure: 'problem running manager',
  run: runHttpOperator,
})
