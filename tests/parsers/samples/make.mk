# INCOMMENT builds the app
CC ?= gcc

app: main.o
	$(CC) -o app INBLOCK

.PHONY: clean
clean:
	rm -f app
