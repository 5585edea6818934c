module sheaf/kit

go 1.19
