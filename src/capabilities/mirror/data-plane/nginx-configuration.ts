// What nginx is told: which ports it has, that it asks the agent about every request, and how it then carries the bytes of an answer.
import type { ListenAddress } from '../front/listen-address.ts'
import { agentTlsName } from '../prefetch.ts'

/** Files of the folder that nginx works in. */
export const planeFiles = {
  configuration: 'nginx.conf',
  process: 'nginx.pid',
  /** The agent's doors: for containerd's ports, and for the port with mutual TLS. */
  registry: 'registry.sock',
  peers: 'peers.sock',
  /** Where it says how bodies ended. */
  told: 'told',
  /** Says that nginx runs, and so that it has all its ports. */
  alive: 'alive.sock',
  ca: 'ca.crt',
  certificate: 'tls.crt',
  key: 'tls.key',
} as const

/** Headers by which nginx and the agent speak with each other; none of them leaves, and those of clients are replaced. */
export const planeHeaders = {
  /** A request says who asks. */
  remote: 'x-ballast-remote',
  /** A request says which process carries it. */
  worker: 'x-ballast-worker',
  /** A request says when it came, in seconds since 1970: an agent that is late sees by it how late. */
  since: 'x-ballast-since',
  /** A request says which order failed, for which there is to be another. */
  again: 'x-ballast-again',
  /** An answer says what the peer is asked besides. */
  range: 'x-ballast-range',
  /** An answer says how many bytes the peer is to bring; left out: nobody has asked it for its head. */
  length: 'x-ballast-length',
  authorization: 'x-ballast-authorization',
} as const

/** Paths that only the agent can lead to. */
const inside = { file: '/-/file/', part: '/-/part/', http: '/-/http/', mtls: '/-/mtls/' } as const
/** An order of a file; `isPart`: the range of the request is obeyed. `path` is absolute. */
export const filePath = (order: number, path: string, isPart: boolean): string =>
  `${isPart ? inside.part : inside.file}${order}${path.split('/').map(encodeURIComponent).join('/')}`
/** An order of a peer: `host` as URLs have it, `target` path and query. */
export const peerPath = (order: number, way: 'http' | 'mtls', { host, port, target }: PeerPlace): string =>
  `${inside[way]}${order}/${host}:${port}${target}`

interface PeerPlace {
  readonly host: string
  readonly port: number
  readonly target: string
}

export interface PlaneOptions {
  /** The folder of `planeFiles`. */
  readonly directory: string
  /** Where containerd asks. */
  readonly registry: readonly ListenAddress[]
  /** Where other agents ask with mutual TLS; undefined: not, or there is no certificate yet. */
  readonly peers: ListenAddress | undefined
  /** Milliseconds to connect to a peer, and between two pieces of a body. */
  readonly connectMs: number
  readonly stallMs: number
  /** Connections that a process may have. */
  readonly connections: number
  /** Whether it runs as root: it stays so, since containerd's content is root's. */
  readonly isRoot: boolean
  /** Whether the machine has IPv6. */
  readonly hasIpv6: boolean
}

/**
 * One: a second takes 6 MiB, and carries two bodies of 1 GB at once no faster on two processors, with mutual TLS or without. Where it is ended for a slow
 * peer, all that it carries goes on from where it is by new requests.
 */
const workers = 1
/** Requests for content at a time of those that are not other mirrors: many times what containerd begins for dozens of pulls. Further ones are answered at once. */
const mostAskedAtOnce = 512
/** A client that takes nothing for so long is given up; a head has to come within the other. */
const silenceSeconds = 300
const headSeconds = 30
/** An agent that is at work says something earlier: a request waits for another node's download for 25 s at most, and a body for a peer for `stallMs`. */
const agentSeconds = ({ connectMs, stallMs }: Pick<PlaneOptions, 'connectMs' | 'stallMs'>) =>
  30 + Math.ceil(Math.max(connectMs, stallMs) / 1_000)
const keptSeconds = 75
/** What is under way when it ends, or takes another configuration. */
export const drainSeconds = 30

/**
 * The text of `nginx.conf`. Every value in it comes from checked settings: addresses, numbers, and a folder that we made. Bodies of requests go on as they
 * come: kept in files until they are whole, they would fill the place of the pod before the agent has said who may ask.
 */
export function nginxConfiguration(options: PlaneOptions): string {
  const { directory, registry, peers, connections, isRoot } = options
  const at = (name: keyof typeof planeFiles) => quoted(`${directory}/${planeFiles[name]}`)
  const socket = (name: keyof typeof planeFiles) => quoted(`unix:${directory}/${planeFiles[name]}`)
  return `daemon off;
worker_processes ${workers};
worker_shutdown_timeout ${drainSeconds}s;
pid ${at('process')};
error_log stderr warn;
${isRoot ? 'user root root;\n' : ''}events { worker_connections ${connections}; }
http {
  map "$http_x_spegel_mirrored:$uri" $asking { "~^:/v2/" containerd; default ""; }
  limit_conn_zone $asking zone=asking:64k;
  limit_conn_log_level info;
  map $limit_conn_status $is_told { REJECTED 1; default $order; }
  map $order $told_order { "" 0; default $order; }
  log_format told escape=json '{"order":$told_order,"status":"$status","sent":$body_bytes_sent,"seconds":$request_time,"completion":"$request_completion"}';
  access_log ${at('told')} told if=$is_told;
  server_tokens off;
  etag off;
  if_modified_since off;
  default_type application/octet-stream;
  sendfile on;
  sendfile_max_chunk 2m;
  tcp_nopush on;
  output_buffers 2 256k;
  reset_timedout_connection on;
  keepalive_timeout ${keptSeconds}s;
  keepalive_requests 1000000;
  client_header_timeout ${headSeconds}s;
  client_body_timeout ${headSeconds}s;
  send_timeout ${silenceSeconds}s;
  client_header_buffer_size 4k;
  large_client_header_buffers 2 16k;
  client_max_body_size 1m;
  proxy_request_buffering off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(of => `  ${of}_temp_path ${quoted(`${directory}/${of}`)};`).join('\n')}
  proxy_http_version 1.1;
  proxy_max_temp_file_size 0;
  proxy_buffer_size 64k;
  proxy_buffers 8 64k;
  proxy_busy_buffers_size 256k;
  proxy_next_upstream off;
  map "$peer_length:$upstream_http_content_length" $peer_rate {
    "~^([0-9]+):\\1$" 0;
    "~^:[0-9]{1,11}$" 0;
    default 1;
  }
  upstream agent { server ${socket('registry')}; keepalive 64; keepalive_requests 1000000; }
  upstream inner { server ${socket('peers')}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen ${socket('alive')};
    return 204;
  }
  server {
${registry.map(address => `    listen ${listened(address, options)} backlog=4096;`).join('\n')}
${asked('agent', options)}
${filesServed}
${peersAsked(options)}
    location @again {
      proxy_pass http://agent$request_uri;
      ${askingHeaders}
      proxy_set_header ${planeHeaders.again} $order;
      proxy_read_timeout ${agentSeconds(options)}s;
      error_page 500 502 504 = @away;
    }
  }
${peers === undefined ? '' : peersServer(peers, options, at)}}
`
}

/** The folder lies where the machine keeps what is passing, whatever that is called. */
const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`

/** The agent reads what is said on stderr: one that hangs does not, and nginx would stop in the middle of saying of a hundred requests that it does. */
const askingHeaders = `error_log stderr crit;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_set_header ${planeHeaders.remote} $remote_addr;
      proxy_set_header ${planeHeaders.worker} $pid;
      proxy_set_header ${planeHeaders.since} $msec;`

/** The agent is asked about everything. Where it is away, containerd goes on elsewhere at once; where it hangs, after `agentSeconds`. */
function asked(upstream: 'agent' | 'inner', options: PlaneOptions): string {
  return `    recursive_error_pages on;
    error_page 414 494 =431 /-/too-large;
    location = /-/too-large {
      internal;
      default_type text/plain;
      return 431 'the head is too large';
    }
${upstream === 'agent' ? turnedAway : ''}    location / {
${upstream === 'agent' ? `      limit_conn asking ${mostAskedAtOnce};\n      error_page 503 = @busy;\n` : ''}      proxy_pass http://${upstream};
      ${askingHeaders}
      proxy_set_header ${planeHeaders.again} "";
      proxy_connect_timeout 5s;
      proxy_read_timeout ${agentSeconds(options)}s;
      error_page 502 504 = @away;
    }
    location @away {
      internal;
      default_type application/json;
      return 404 '{"errors":[{"code":"BLOB_UNKNOWN","message":"the agent does not answer"}]}';
    }`
}

/** The order 0 says so to the agent, which counts it. */
const turnedAway = `    location @busy {
      internal;
      default_type application/json;
      return 404 '{"errors":[{"code":"BLOB_UNKNOWN","message":"too many requests at once"}]}';
    }
`

/** What the answer of the agent said of the content. */
const contentHeaders = `set $content_digest $upstream_http_docker_content_digest;
      set $content_registry $upstream_http_oci_namespace;
      add_header Docker-Content-Digest $content_digest;
      add_header OCI-Namespace $content_registry;`

/** containerd's own files, from the kernel to the socket. */
const filesServed = (['file', 'part'] as const)
  .map(
    kind => `    location ~ "^${inside[kind]}(?<order>[0-9]+)(?<blob>/.+/blobs/sha[0-9]+/[0-9a-f]+)$" {
      internal;
      alias $blob;
      max_ranges ${kind === 'part' ? 1 : 0};
      ${contentHeaders}
      add_header Last-Modified "";
      error_page 403 404 416 500 = @away;
    }`,
  )
  .join('\n')

/** What a peer may answer that is no content: all that nginx can lead elsewhere, but for a range beyond the end. */
const failures = Array.from({ length: 300 }, (_, index) => 300 + index)
  .filter(status => status !== 416 && status !== 499)
  .join(' ')

/**
 * Another node's: it is asked for exactly what the agent says, and nothing that the client said goes there. It is not told that we are one of
 * ours: it gives what it has whole, and no download that goes on. A body of another length than its head had, or of none, could go on until
 * containerd's disk is full: nginx cannot refuse it, so it comes by one byte a second, and is left as that of a slow peer. Where nobody asked for
 * the head it may say up to 100 GB; what is larger is then asked for with it.
 */
function peersAsked({ connectMs, stallMs, peers, directory }: PlaneOptions): string {
  const location = (
    way: 'http' | 'mtls',
    more: string,
  ) => `    location ~ "^${inside[way]}(?<order>[0-9]+)/(?<peer>[^/]+)(?<target>/v2/.+)$" {
      internal;
      set $content_digest $upstream_http_docker_content_digest;
      set $peer_range $upstream_http_x_ballast_range;
      set $peer_length $upstream_http_x_ballast_length;
      limit_rate $peer_rate;
      set $peer_authorization $upstream_http_x_ballast_authorization;
      proxy_pass ${way === 'mtls' ? 'https' : 'http'}://$peer$target$is_args$args;
      proxy_pass_request_headers off;
      proxy_pass_request_body off;
      proxy_set_header Host ${way === 'mtls' ? agentTlsName : 'peer'};
      proxy_set_header Connection "";
      proxy_set_header X-Spegel-Mirrored true;
      proxy_set_header Range $peer_range;
      proxy_set_header Authorization $peer_authorization;
      proxy_hide_header Docker-Content-Digest;
      proxy_hide_header OCI-Namespace;
      proxy_hide_header Accept-Ranges;
      proxy_hide_header Last-Modified;
      proxy_hide_header Content-Encoding;
      proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset Expires Cache-Control Set-Cookie Vary;
      add_header Docker-Content-Digest $content_digest;
      add_header Accept-Ranges bytes;
      proxy_connect_timeout ${connectMs}ms;
      proxy_read_timeout ${stallMs}ms;
      proxy_intercept_errors on;
      error_page ${failures} = @again;
${more}    }`
  const tls = `      proxy_ssl_certificate ${quoted(`${directory}/${planeFiles.certificate}`)};
      proxy_ssl_certificate_key ${quoted(`${directory}/${planeFiles.key}`)};
      proxy_ssl_trusted_certificate ${quoted(`${directory}/${planeFiles.ca}`)};
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 4;
      proxy_ssl_name ${agentTlsName};
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
`
  return [location('http', ''), ...(peers === undefined ? [] : [location('mtls', tls)])].join('\n')
}

/** Who has no certificate of the same authority is answered nothing. */
function peersServer(address: ListenAddress, options: PlaneOptions, at: (name: keyof typeof planeFiles) => string): string {
  return `  server {
    listen ${listened(address, options)} ssl backlog=4096;
    ssl_certificate ${at('certificate')};
    ssl_certificate_key ${at('key')};
    ssl_client_certificate ${at('ca')};
    ssl_verify_client on;
    ssl_verify_depth 4;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_conf_command Options KTLS;
    ssl_session_cache shared:agents:1m;
    ssl_buffer_size 16k;
    error_page 495 496 497 = @refused;
    location @refused {
      internal;
      return 444;
    }
${asked('inner', options)}
${filesServed}
  }
`
}

function listened({ host, port }: ListenAddress, { hasIpv6 }: PlaneOptions): string {
  // Without a host every address of both families, as Node listens.
  if (host === undefined) return hasIpv6 ? `[::]:${port} ipv6only=off` : String(port)
  return host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]:${port} ipv6only=on` : `${host}:${port}`
}
