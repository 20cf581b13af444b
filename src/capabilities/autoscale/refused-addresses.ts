// This host and what clouds tell their machines: nobody's source, and not for those who write ScaledObjects.

export const refusedByDefault: readonly string[] = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16'],
  // Those of IPv6, two ways to write IPv4's link-local addresses in it, and the address of a cloud's data on its machine.
  ...['::/127', 'fe80::/10', '64:ff9b::a9fe:0/112', '2002:a9fe::/32', 'fd00:ec2::254/128'],
]
