// Names of what the controller keeps for the mirrors: roles, mounts and uninstall say them, too.

/** In our own namespace: authority and leaf of the agents, with their keys. */
export const authoritySecret = 'ballast-agent-authority'
/** Where the agents are: the certificate that they mount. */
export const agentTlsSecret = 'ballast-agent-tls'
/** Where the agents are: addresses of nodes, under the key `peers`. */
export const peersConfigMap = 'ballast-mirror-peers'
export const peersKey = 'peers'
/** Where the agents are: by its EndpointSlices the mirrors find each other, where they are told to. */
export const mirrorService = 'ballast-agent-mirror'
