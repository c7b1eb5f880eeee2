module loadgen

go 1.24
