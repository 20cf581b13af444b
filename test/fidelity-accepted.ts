// Where the twin knowingly answers otherwise than the recorded server. Each rule says why; what no rule covers fails the replay.
import type { FieldDifference } from './fidelity-compare.ts'
import type { ClientExchange } from './fidelity-exchange.ts'

interface AcceptedDifference {
  /** Method, path and query of the exchange. */
  readonly request: RegExp
  readonly paths: RegExp
  readonly why: string
  /** The server is right and the twin is to follow; without it the twin stays as it is. */
  readonly toBeMended?: true
}

const toBeMended = true

// biome-ignore format: a table
export const acceptedDifferences: readonly AcceptedDifference[] = [
  { request: /customresourcedefinitions/, paths: /\.status\.(conditions|acceptedNames)\b|managedFields\[kube-apiserver Update status |\.resourceVersion$/, why: 'a definition is established in the twin at once, by the server itself' },
  { request: /\/token$|tokenreviews/, paths: /^\.answer\.(spec|status)\.audiences/, why: 'the issuer of a server is its own' },
  { request: /^PUT .*\/pods\//, paths: /^\.answer\.(message|details\.causes\.\d+\.message)$/, why: 'upstream ends its refusal with a diff of Go structs' },
  { request: /\/version(\?|$)/, paths: /^\.answer\.(gitVersion|gitCommit|gitTreeState|goVersion|compiler)$/, why: 'a twin says that it is one' },
  { request: /^GET \/readyz\?verbose/, paths: /^\.answer$/, why: 'a server has the parts it has' },
  { request: /\/(deployments|replicasets|daemonsets|cronjobs|jobs|horizontalpodautoscalers|events)(\/\w+)?(\?|$)/, paths: /columnDefinitions\.\d+\.description$/, why: 'the schemas say nothing of what selectors and references are for; kubectl shows no descriptions' },
  { request: /\/services/, paths: /default\/kubernetes(\]| \d+\]\.object)\.spec\.ports\.0\.targetPort$/, why: 'the port of a server is its own' },
  { request: /\/leases/, paths: /^\.answer\.rows\[kube-system\/apiserver-\w+\]$|^\.events\[ADDED kube-system\/apiserver-\w+ \d+\]$/, why: 'a twin is one server and needs no Lease to say so' },
  { request: /selfsubjectreviews/, paths: /^\.answer\.status\.userInfo\.(username|extra)$/, why: 'the administrators of the two servers are called otherwise' },
  { request: /\/events(\/|\?|$)/, paths: /default\/web2?\.18/, why: 'an Event that the server writes when it gives an address to a Service', toBeMended },
  { request: /^DELETE .*\/events\/web2?\.18/, paths: /^\.(status|answer\.(status|message|reason|code|details\.\w+))$/, why: 'the same Event being deleted', toBeMended },
  { request: /^GET \/apis\/metrics\.k8s\.io\//, paths: /^\.(status|headers\.content-type|answer)$/, why: 'the twin serves metrics.k8s.io by itself' },
  { request: /^(POST|PUT|PATCH) .*\/events/, paths: /^\.answer\.regarding\.resourceVersion$/, why: 'what an Event names is kept as it was sent' },
  { request: /^GET \/apis\/(\w+\.)?(keda\.sh|autoscaling\.k8s\.io)\/.*watch=true/, paths: /^\.status$/, why: 'upstream asks for patience while the storage of a new definition starts' },
  { request: /^(GET|PATCH) .*\/scaledobjects/, paths: /\.status\.|\.resourceVersion$|f:status/, why: 'two patches were under way at once and were taken in the other order' },
  { request: /^GET .*\/horizontalpodautoscalers$/, paths: /^\.answer\.metadata\.resourceVersion$/, why: 'a list is as new as the server, which writes other things meanwhile' },
  { request: /[?&]resourceVersion=0/, paths: /items\[kube-node-lease|^\.answer\.metadata\.resourceVersion$|BOOKMARK .*\.resourceVersion$/, why: 'a cache may lag behind; the twin has none' },
]

/** The rule by which a difference is accepted; undefined where there is none. */
export function acceptedBy(exchange: ClientExchange, difference: FieldDifference): AcceptedDifference | undefined {
  const line = `${exchange.method} ${exchange.path}${exchange.query === '' ? '' : `?${exchange.query}`}`
  return acceptedDifferences.find(({ request, paths }) => request.test(line) && paths.test(difference.path))
}
