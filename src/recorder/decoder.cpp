#include "recorder/decoder.hpp"

#include "base/text.hpp"
#include "media/plc.hpp"

namespace strowger::recorder {
namespace {

class G711 final : public Decoder {
public:
    explicit G711(media::g711::Law law) : law_(law) {}
    std::uint32_t rate() const override { return 8000; }
    std::uint32_t clock() const override { return 8000; }
    std::unique_ptr<Decoder> twin() const override { return std::make_unique<G711>(law_); }
    void decode(Bytes payload, std::vector<Sample>& out) override {
        const auto at = out.size();
        out.resize(at + payload.size());
        media::g711::decode(law_, payload, std::span(out).subspan(at));
        plc_.received(std::span(out).subspan(at));
    }
    void conceal(std::size_t count, std::vector<Sample>& out) override {
        const auto at = out.size();
        out.resize(at + count);
        plc_.conceal(std::span(out).subspan(at));
    }

private:
    media::g711::Law law_;
    media::Plc plc_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(std::string_view name, std::uint32_t clock, unsigned channels,
                                      std::string_view) {
    if (channels > 1 || clock != 8000) return nullptr;
    if (iequals(name, "PCMU")) return std::make_unique<G711>(media::g711::Law::mu);
    if (iequals(name, "PCMA")) return std::make_unique<G711>(media::g711::Law::a);
    return nullptr;
}

}  // namespace strowger::recorder
