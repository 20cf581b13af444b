module ballast.dev/nfs-stand-in

go 1.26
