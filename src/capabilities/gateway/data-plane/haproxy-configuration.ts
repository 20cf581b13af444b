// The configuration of HAProxy as data plane: it carries ordinary requests to targets that are ready, and hands everything else to the gateway
// itself. Which those are stands in maps that change while it runs.
import { coldStartHeader, textHeaders } from '../proxy/own-answers.ts'

/** Files within the folder that HAProxy and the gateway share. */
export const planeFiles = {
  configuration: 'haproxy.cfg',
  /** Commands. */
  admin: 'admin.sock',
  /** Requests whose pod was not reached: they bear forwarding headers already. */
  again: 'again.sock',
  /** A line for each request that was carried. */
  lines: 'lines.sock',
  /** Hosts to keys of routes; keys to numbers of addresses, to milliseconds; `key:0` to `address|port`. */
  hosts: 'hosts.map',
  sizes: 'sizes.map',
  targets: 'targets.map',
  waits: 'waits.map',
} as const

/** Bytes of a request's or an answer's head: a request that may be sent twice is copied with its whole buffer, so that more costs all of them. */
const mostHeadBytes = 31 * 1024
/** What HAProxy keeps free in a buffer for headers that it adds. */
const rewriteBytes = 1024
const mostHeaders = 500
/** One connection of HTTP/2 has so many; all together have as many as there may be connections. */
const mostStreams = 100
/** Bytes of a body that a client of HTTP/2 may send ahead. */
const h2WindowBytes = 256 * 1024
/** Routes, and addresses of pods, that are counted. */
const mostCounted = 100_000
/** Beyond this share of all connections none is kept after its answer: idle ones do not keep others out. */
const crowdedShare = 0.8
/** Numbers of what nobody asks for are forgotten. What begins anew after so long between two looks is taken for what was there before. */
const forgetSeconds = 86_400
/** Who has a body to send or to read, and does neither. Silence while an answer is waited for, or in a stream, is none of it. */
const longestStallMs = 60_000
/** A head that has begun is whole after so long. */
const longestHeadMs = 10_000
/** HAProxy's longest wait is less than 25 days; it stands for none. */
const endless = '24d'
/**
 * Sockets of requests that the gateway decides about. HAProxy takes them faster than the gateway, and where the queue of a socket is full it
 * does not try again: together they hold a burst of as many as may wait by default.
 */
export const decideSockets = ['decide-0.sock', 'decide-1.sock', 'decide-2.sock', 'decide-3.sock'] as const
const ringBytes = 4 * 1024 * 1024

export interface HaproxyOptions {
  /** The folder of {@link planeFiles}. */
  readonly directory: string
  /** Addresses and ports as HAProxy writes them: `0.0.0.0:8080`, `[::]:8080`. */
  readonly binds: readonly string[]
  readonly proxyProtocol: boolean
  /** Milliseconds. */
  readonly connectMs: number
  readonly responseHeaderMs: number
  readonly coldStartHeader: boolean
  /** Whether each carried request is told. */
  readonly tells: boolean
  readonly mostConnections: number
  /** A page that waits asks here: never a target's. */
  readonly progressPath: string
}

/** Headers between neighbours, and those that proxies write: never passed on. */
const dropped = ['forwarded', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'http2-settings']
/** What servers are called by whom requests get to the gateway whose pod was not reached. */
export const againServer = 'again'
const endingVariable = 'proc.ending'
/** Tells HAProxy while it runs that connections are not kept after their answer. HAProxy 3.0 calls a variable that is set so experimental. */
export const endingCommand = `experimental-mode on;set var ${endingVariable} int(1)`

const usualMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
/** Proxies that a request has passed. */
const usualHops = 16

/** A request that bears one of them is no ordinary one. */
const unusual = ['expect', 'te', 'trailer', 'upgrade']

/** HAProxy takes them within values, the gateway does not. */
const controlBytes = "'[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]'"

/** The whole file. */
export function haproxyConfiguration(options: HaproxyOptions): string {
  const { directory, binds } = options
  const file = (name: keyof typeof planeFiles) => `${directory}/${planeFiles[name]}`
  const accepts = options.proxyProtocol ? ' accept-proxy' : ''
  const isCarried = '{ var(txn.to) -m found }'
  const isRouted = '{ var(txn.route) -m found }'
  const hasMore = '{ var(txn.size) -m int gt 1 }'
  const isKept = '{ req.fhdr(connection),lower -m str close keep-alive }'
  const lines = options.tells
    ? [
        'ring carried',
        '  format raw',
        '  maxlen 512',
        `  size ${ringBytes}`,
        '  timeout connect 5s',
        '  timeout server 60s',
        `  server gateway unix@${file('lines')}`,
        '',
      ]
    : []
  const told = options.tells
    ? [
        '  log ring@carried local0',
        '  option dontlognull',
        '  log-format "%[var(txn.route)]\\t%HM\\t%ST\\t%[date(0,us),sub(txn.began)]\\t%s\t%ts\t%B"',
        '  http-request set-var(txn.began) date(0,us)',
        `  http-request set-log-level silent unless ${isCarried}`,
      ]
    : []
  return [
    '# Written by the gateway: changes are lost.',
    'global',
    `  set-var ${endingVariable} int(0)`,
    '  nbthread 1',
    `  maxconn ${options.mostConnections}`,
    // Who takes its place gets its listening sockets: no client in their queues is lost.
    `  stats socket ${file('admin')} mode 600 level admin expose-fd listeners`,
    '  stats timeout 1m',
    `  tune.bufsize ${mostHeadBytes + rewriteBytes}`,
    `  tune.maxrewrite ${rewriteBytes}`,
    `  tune.http.maxhdr ${mostHeaders}`,
    `  tune.h2.fe.max-concurrent-streams ${mostStreams}`,
    `  tune.h2.fe.initial-window-size ${h2WindowBytes}`,
    '  h2-workaround-bogus-websocket-clients',
    '',
    ...lines,
    'defaults',
    '  mode http',
    `  timeout client ${longestStallMs}ms`,
    `  timeout server ${endless}`,
    `  timeout tunnel ${endless}`,
    `  timeout connect ${options.connectMs}ms`,
    `  timeout http-request ${longestHeadMs}ms`,
    '  timeout http-keep-alive 75s',
    '  option http-no-delay',
    '  option abortonclose',
    ...errorStatuses.map(status => `  errorfile ${status} ${directory}/${errorFile(status)}`),
    '',
    'backend routes',
    `  stick-table type string len 512 size ${mostCounted} expire ${forgetSeconds}s store conn_cur,http_req_cnt,bytes_in_cnt,bytes_out_cnt`,
    'backend endpoints',
    `  stick-table type string len 64 size ${mostCounted} expire ${forgetSeconds}s store conn_cur`,
    '',
    'backend streams',
    '  stick-table type integer size 1 expire 1d store conn_cur',
    '',
    'frontend traffic',
    // Bytes of a stream are counted while it goes on: they keep its target awake.
    '  option contstats',
    ...binds.map(bind => `  bind ${bind}${accepts}`),
    '  http-request deny deny_status 400 unless { req.ver 1.0 1.1 2.0 }',
    '  http-request deny deny_status 400 if { req.ver 2.0 } { fc_http_major 1 }',
    // A stream without its window costs as much as a connection that is not read.
    '  http-request track-sc2 int(1) table streams if { fc_http_major 2 }',
    `  http-request deny deny_status 503 if { fc_http_major 2 } { sc2_conn_cur gt ${options.mostConnections} }`,
    `  http-request set-var(txn.route) req.fhdr(host),host_only,lower,map_str(${file('hosts')}) if HTTP_1.1 { url_beg / } { method ${usualMethods.join(' ')} }`,
    `  http-request unset-var(txn.route) if ${isRouted} { req.fhdr(host) -m sub : } !{ req.fhdr(host) -m reg ^[^:]*:[0-9]{0,5}$ }`,
    ...unusual.map(name => `  http-request unset-var(txn.route) if ${isRouted} { req.fhdr(${name}) -m found }`),
    `  http-request unset-var(txn.route) if ${isRouted} { req.fhdr(connection) -m found } !${isKept}`,
    `  http-request unset-var(txn.route) if ${isRouted} { req.fhdr_cnt(x-forwarded-for) gt 1 }`,
    // The gateway says whether it is a loop.
    `  http-request unset-var(txn.route) if ${isRouted} { req.hdr_cnt(x-forwarded-for) gt ${usualHops} }`,
    `  http-request unset-var(txn.route) if ${isRouted} { path -m beg ${options.progressPath} }`,
    `  http-request unset-var(txn.route) if ${isRouted} { path -m sub % } { path -m reg %(?![0-9A-Fa-f]{2}) }`,
    `  http-request unset-var(txn.route) if ${isRouted} { req.hdrs -m reg ${controlBytes} }`,
    `  http-request set-var(txn.size) var(txn.route),map_str_int(${file('sizes')}) if ${isRouted}`,
    '  http-request set-var(txn.at) rand(1000000),mod(txn.size) if { var(txn.size) -m int gt 0 }',
    `  http-request set-var(txn.to) var(txn.route),concat(:,txn.at),map_str(${file('targets')}) if { var(txn.at) -m found }`,
    // Two are drawn, and the one with fewer requests gets it.
    `  http-request set-var(txn.at) rand(1000000),mod(txn.size) if ${hasMore}`,
    `  http-request set-var(txn.other) var(txn.route),concat(:,txn.at),map_str(${file('targets')}) if ${hasMore}`,
    `  http-request set-var(txn.busy) var(txn.other),table_conn_cur(endpoints) if ${hasMore}`,
    `  http-request set-var(txn.more) var(txn.to),table_conn_cur(endpoints),sub(txn.busy) if ${hasMore}`,
    '  http-request set-var(txn.to) var(txn.other) if { var(txn.more) -m int gt 0 }',
    `  http-request track-sc0 var(txn.route) table routes if ${isCarried}`,
    `  http-request track-sc1 var(txn.to) table endpoints if ${isCarried}`,
    ...told,
    `  use_backend pods if ${isCarried}`,
    '  use_backend decide-h2 if { fc_http_major 2 }',
    '  default_backend decide',
    `  http-after-response set-header Connection close if { var(${endingVariable}) -m int gt 0 }`,
    `  http-after-response set-header Connection close if { fe_conn gt ${Math.floor(options.mostConnections * crowdedShare)} }`,
    '',
    'backend pods',
    `  timeout server ${options.responseHeaderMs === 0 ? endless : `${options.responseHeaderMs}ms`}`,
    '  retries 1',
    '  option redispatch 1',
    '  retry-on conn-failure empty-response',
    '  http-request disable-l7-retry unless { method GET HEAD OPTIONS }',
    '  http-request set-dst var(txn.to),field(1,|)',
    '  http-request set-dst-port var(txn.to),field(2,|)',
    `  http-request set-timeout server var(txn.route),map_str_int(${file('waits')}) if { var(txn.route),map_str_int(${file('waits')}) -m found }`,
    '  http-request set-var(req.from) req.fhdr(x-forwarded-for)',
    '  http-request set-header X-Forwarded-For "%[var(req.from)], %[src]" if { var(req.from) -m found }',
    '  http-request set-header X-Forwarded-For %[src] unless { var(req.from) -m found }',
    '  http-request set-header X-Forwarded-Host %[req.fhdr(host)] unless { req.fhdr(x-forwarded-host) -m len gt 0 }',
    '  http-request set-header X-Forwarded-Proto http unless { req.fhdr(x-forwarded-proto) -m len gt 0 }',
    ...dropped.map(name => `  http-request del-header ${name}`),
    `  http-response set-timeout server ${endless}`,
    ...[...dropped, 'te', 'upgrade'].map(name => `  http-response del-header ${name}`),
    // What comes by the gateway says it itself.
    ...(options.coldStartHeader
      ? [`  http-after-response add-header ${coldStartHeader} false unless { srv_name -m beg ${againServer} }`]
      : []),
    `  use-server pod if ${isCarried}`,
    '  server pod 0.0.0.0:0 weight 0',
    // Where a backend has one server of weight HAProxy waits half a second before it goes there from one that refused; of two it takes the other at once.
    ...[0, 1].map(at => `  server ${againServer}${at} unix@${file('again')} send-proxy-v2`),
    '',
    'backend decide',
    '  http-response del-header keep-alive',
    ...decideSockets.map((name, at) => `  server gateway${at} unix@${directory}/${name} send-proxy-v2`),
    'backend decide-h2',
    ...decideSockets.map((name, at) => `  server gateway${at} unix@${directory}/${name} send-proxy-v2 proto h2`),
    '',
  ].join('\n')
}

const errorStatuses = [400, 408, 502, 503, 504] as const
const errorFile = (status: number) => `${status}.http`
const words: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

/** Answers of HAProxy's own, worded as ours, by the name of their file. */
export function haproxyAnswers(): ReadonlyMap<string, string> {
  return new Map(
    errorStatuses.map(status => {
      const body = `${words[status]}\n`
      const headers = [...textHeaders, 'Content-Length', String(body.length), 'Connection', 'close']
      const fields = headers.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${headers[at + 1]}\r\n`] : []))
      return [errorFile(status), `HTTP/1.1 ${status} ${words[status]}\r\n${fields.join('')}\r\n${body}`]
    }),
  )
}
