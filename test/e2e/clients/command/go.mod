module sif-library.test/command

go 1.25.7
