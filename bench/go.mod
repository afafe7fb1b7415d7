module github.com/doorward/doorward/bench

go 1.26.0
