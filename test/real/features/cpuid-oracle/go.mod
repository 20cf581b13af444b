module ballast.dev/cpuid-oracle

go 1.26.0

require github.com/klauspost/cpuid/v2 v2.4.0

require golang.org/x/sys v0.41.0 // indirect
