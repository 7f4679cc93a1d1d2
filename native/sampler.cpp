// The steps of a Sampler: compiled once for each instruction set, with RECURRA_SET naming it. The
// products are sampler_matrix.hpp's, the equations sampler_cells.hpp's, the draw sampler_choose.hpp's.
#include "sampler.hpp"

#include <stdexcept>
#include <string>
#include <type_traits>

#include "sampler_cells.hpp"
#include "sampler_choose.hpp"
#include "sampler_matrix.hpp"
#include "sampler_vnni.hpp"
#include "team.hpp"

namespace recurra::RECURRA_SET {
namespace sampling {
namespace {

template <class Kind, class Number>
class Stack final : public Sampler {
public:
    explicit Stack(const Network& network) : net_(network) {
        constexpr Index G = Kind::gates;
        const Index H = net_.H;
        for (const LayerWeights& weights : net_.layers) {
            Layer& layer = layers_.emplace_back();
            const Index I = layers_.size() > 1 ? H : net_.E;
            if (weights.weight_ih)
                layer.input = pack<Number>(&weights.weight_ih, &weights.bias, 1, G * H, I);
            for (int phase = 0; phase < Kind::phases; ++phase) {
                const float *blocks[G], *starts[G]{};
                for (int gate = 0; gate < Kind::blocks[phase]; ++gate)
                    blocks[gate] = phase ? weights.weight_hn : weights.weight_hh + gate * H * H;
                if (weights.bias_hn) starts[G - 1] = weights.bias_hn;
                layer.recurrent[phase] = pack<Number>(blocks, starts, Kind::blocks[phase], H, H);
            }
        }
        projection_ = pack<Number>(&net_.projection, &net_.projection_bias, 1, net_.V, H);
        net_.layers.clear();  // what they point to is the caller's
        net_.projection = net_.projection_bias = nullptr;
    }

    void run(const Chunk& chunk) const override {
        for (Index first = 0; first < chunk.B; first += rows_at_once) {
            const Index left = chunk.B - first;
            run_rows(chunk, first, left < rows_at_once ? (int)left : rows_at_once);
        }
    }

private:
    static constexpr int fields = std::is_same_v<Kind, Lstm> ? 2 : 1;

    struct Layer {
        Matrix<Number> input;                    // to x_gates
        Matrix<Number> recurrent[Kind::phases];  // h to the sums of its gates
    };

    // Memory of some rows; `sums` serve every product in turn.
    struct Work {
        Array<float> x, sums, extra, z, logits;
        Array<std::uint8_t> bytes;
        const float* inputs[rows_at_once];
        float* outputs[rows_at_once];
        Row rows[rows_at_once];

        void multiply(const Matrix<Number>& matrix, int count) {
            sampling::multiply(matrix, count, inputs, outputs, bytes.data());
        }
    };

    void run_rows(const Chunk& chunk, Index first, int count) const {
        Work work = room(count);
        Chooser chooser(net_.V);
        for (Index t = 0; t < chunk.T; ++t) {
            Index* fed = chunk.ids + t * chunk.B + first;
            Index* next = fed + chunk.B;
            {
                const FlushToZero flush;
                for (int r = 0; r < count; ++r) check(fed[r]);
                step(work, chunk, fed, first, count);
                if (!chunk.nats) continue;
                for (int r = 0; r < count; ++r) {
                    work.inputs[r] = work.rows[r].h;
                    work.outputs[r] = work.logits.data() + r * projection_.outputs();
                }
                work.multiply(projection_, count);
            }
            for (int r = 0; r < count; ++r) {
                const Index at = t * chunk.B + first + r;
                float* logits = work.outputs[r];
                if (chunk.uniforms) {
                    next[r] = chooser.draw(logits, *chunk.filters, chunk.uniforms[at],
                                           chunk.nats[at]);
                } else {
                    check(next[r]);
                    chunk.nats[at] = chooser.nats_of(logits, next[r]);
                }
            }
        }
    }

    // Feeds one symbol to each row, through all layers; rows[r].h is then the last one's output.
    void step(Work& work, const Chunk& chunk, const Index* fed, Index first, int count) const {
        const Index G = Kind::gates, H = net_.H;
        for (std::size_t depth = 0; depth < layers_.size(); ++depth) {
            const Layer& layer = layers_[depth];
            for (int r = 0; r < count; ++r) {
                Row& row = work.rows[r];
                if (depth) work.inputs[r] = row.h;
                else if (net_.table) row.x = net_.table + fed[r] * G * H;
                else work.inputs[r] = net_.embedding + fed[r] * net_.E;
            }
            if (layer.input.panels) {
                for (int r = 0; r < count; ++r)
                    work.rows[r].x = work.outputs[r] = work.x.data() + r * layer.input.outputs();
                work.multiply(layer.input, count);
            }
            for (int r = 0; r < count; ++r) {
                float* h = chunk.state + ((Index)depth * fields * chunk.B + first + r) * H;
                float* extra = fields == 2 ? h + chunk.B * H : work.extra.data() + r * H;
                Row& row = work.rows[r];
                row.H = H;
                row.h = h;
                row.extra = extra;
                row.z = work.z.data() + r * H;
            }
            for (int phase = 0; phase < Kind::phases; ++phase)
                recur(layer.recurrent[phase], phase, work, count);
        }
    }

    void recur(const Matrix<Number>& matrix, int phase, Work& work, int count) const {
        for (int r = 0; r < count; ++r) {
            Row& row = work.rows[r];
            work.inputs[r] = phase ? row.extra : row.h;
            row.sums = work.outputs[r] = work.sums.data() + r * matrix.outputs();
            row.P = matrix.padded;
        }
        work.multiply(matrix, count);
        for (int r = 0; r < count; ++r)
            for (Index at = 0; at < net_.H; at += lanes)
                Kind::step(phase, work.rows[r], at, net_.H - at);
    }

    Work room(int count) const {
        Work work;
        Index x = 0, sums = 0, bytes = projection_.room();
        for (const Layer& layer : layers_) {
            x = std::max(x, layer.input.outputs());
            bytes = std::max(bytes, layer.input.room());
            for (const auto& recurrent : layer.recurrent) sums = std::max(sums, recurrent.outputs());
        }
        work.x.resize((std::size_t)(count * x));
        work.sums.resize((std::size_t)(count * sums));
        work.extra.resize((std::size_t)(count * net_.H));
        work.z.resize((std::size_t)(count * net_.H));
        work.logits.resize((std::size_t)(count * projection_.outputs()));
        work.bytes.resize((std::size_t)(count * bytes));
        return work;
    }

    void check(Index id) const {
        if (id < 0 || id >= net_.V)
            throw std::out_of_range("id " + std::to_string(id) + " is out of range: there are " +
                                    std::to_string(net_.V) + " symbols");
    }

    Network net_;
    std::vector<Layer> layers_;
    Matrix<Number> projection_;
};

template <class Number>
std::unique_ptr<Sampler> sampler_with(const Network& network) {
    switch (network.cell) {
        case Cell::rnn: return std::make_unique<Stack<RnnTanh, Number>>(network);
        case Cell::relu_rnn: return std::make_unique<Stack<RnnRelu, Number>>(network);
        case Cell::lstm: return std::make_unique<Stack<Lstm, Number>>(network);
        case Cell::gru: return std::make_unique<Stack<Gru, Number>>(network);
        case Cell::gru_reset_before: return std::make_unique<Stack<GruResetBefore, Number>>(network);
    }
    throw std::invalid_argument("no such cell");
}

}  // namespace
}  // namespace sampling

std::unique_ptr<Sampler> sampler(const Network& network) {
    using namespace sampling;
    if (!network.int8) return sampler_with<float>(network);
#if defined(__AVX512F__)
    if (__builtin_cpu_supports("avx512vnni")) return sampler_with<Quads>(network);
#endif
    return sampler_with<std::int8_t>(network);
}

}  // namespace recurra::RECURRA_SET
