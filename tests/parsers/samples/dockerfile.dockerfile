# INCOMMENT the server
FROM python:3.12-slim
WORKDIR /app
COPY . .
ENV MODE="INSTRING"
CMD ["python", "server.py"]
