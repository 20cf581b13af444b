// `ballast keda`: the command of KEDA's operator with its flags, environment and ports, and Ballast's autoscaling behind them.

import { defineZapProgram, type Started, trustForProcess } from '#cli/drop-ins/zap-program.ts'
import { type OperatorSettings, parseOperatorFlags } from '../flags/keda-flags.ts'
import { runKedaOperator } from './run-keda-operator.ts'

const help = [
  "Upstream's flags, with their defaults:",
  '  --metrics-bind-address :8080, --health-probe-bind-address :8081, --metrics-service-bind-address :9666',
  '  --leader-elect (off), --leader-election-id operator.keda.sh, --kubeconfig FILE',
  '  --kube-api-qps, --kube-api-burst (200 and 500 where neither is given)',
  '  --cert-dir /certs, --enable-cert-rotation (off), --cert-secret-name kedaorg-certs,',
  '      --operator-service-name keda-operator, --metrics-server-service-name keda-metrics-apiserver,',
  '      --webhooks-service-name keda-admission-webhooks, --validating-webhook-name keda-admission,',
  '      --enable-webhook-patching true, --enable-apiservice-patching true, --k8s-cluster-domain cluster.local',
  '      --k8s-cluster-name kubernetes-default',
  '  --ca-dir /custom/ca (may be repeated), --filepath-auth-root-path DIR, --enable-prometheus-metrics true',
  '  --zap-{encoder json,log-level info,time-encoding rfc3339,devel}; those of klog, --profiling-bind-address,',
  '      --enable-opentelemetry-metrics and --http-* are taken without effect',
  'Ours:',
  '  --allow-address RANGE, --deny-address RANGE  where triggers may lead; by default neither to this host nor to',
  '      link-local addresses',
  '  --token-audience NAMESPACE/ACCOUNT=AUDIENCE  a ServiceAccount that authentications may ask tokens of',
  'Environment: WATCH_NAMESPACE (required; empty: all), WATCH_LABEL_SELECTOR, WATCH_LABEL_SELECTOR_FOR_TRIGGERAUTH,',
  '  POD_NAMESPACE, POD_NAME, KEDA_CLUSTER_OBJECT_NAMESPACE, KEDA_RESTRICT_SECRET_ACCESS, KEDA_HTTP_DEFAULT_TIMEOUT,',
  '  KEDA_HTTP_MIN_TLS_VERSION, KEDA_HTTP_TLS_CIPHER_LIST, KEDA_SERVICE_MIN_TLS_VERSION, KEDA_SERVICE_TLS_CIPHER_LIST,',
  '  KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY, KEDA_OPERATOR_LEADER_ELECTION_{LEASE_DURATION,RENEW_DEADLINE,RETRY_PERIOD}.',
  'Exit codes: 0 stopped; 1 failed; 2 bad flags.',
  'Example: ballast keda --leader-elect --enable-cert-rotation',
]

/** Upstream's probes say no more than that the process runs. */
const nothingMore = () => []

async function run(settings: OperatorSettings, started: Started, signal: AbortSignal): Promise<void> {
  const { log } = started
  trustForProcess(settings.httpWire, settings.authorityDirectories, log)
  await started.listen(settings.metricsAddress, '--metrics-bind-address', nothingMore)
  await started.listen(settings.probeAddress, '--health-probe-bind-address', nothingMore)
  await runKedaOperator({ ...started, settings }, signal)
}

export const defineKeda = defineZapProgram({
  name: 'keda',
  component: 'manager',
  help,
  parse: parseOperatorFlags,
  failure: 'problem running manager',
  run,
})
